-- What both scripts need of a target: whether its address is a job's, and what of the visitor's cookies it may see.
local find, sub, byte, gsub, match, lower = string.find, string.sub, string.byte, string.gsub, string.match, string.lower
local POOLS = { @POOLS@ }  -- first and last address of every network that jobs listen in, as numbers

local function is_job(address)
  local a, b, c, d = match(address or "", "^(%d+)%.(%d+)%.(%d+)%.(%d+):%d+$")
  if not a then return false end
  a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
  if a > 255 or b > 255 or c > 255 or d > 255 then return false end
  local number = ((a * 256 + b) * 256 + c) * 256 + d
  for i = 1, #POOLS do
    if number >= POOLS[i][1] and number <= POOLS[i][2] then return true end
  end
  return false
end

-- All cookies of a request, each after a semicolon.
local function cookies_of(headers)
  local count = headers:getNumValues("cookie")
  if count == 1 then return "; " .. headers:get("cookie") end
  local all = ""
  for i = 0, count - 1 do all = all .. "; " .. headers:getAtIndex("cookie", i) end
  return all
end

local function strip_cookies(headers, all)
  if all == "" then return end
  local rest = gsub(gsub(gsub(all, ";%s*ph_[^;]*", ""), ";%s*__%a+%-ph_[^;]*", ""), ";%s*RSC%-XSRF[^;]*", "")
  if rest == all then return end
  if find(rest, "[^;%s]") then headers:replace("cookie", (gsub(rest, "^[;%s]+", ""))) else headers:remove("cookie") end
end
