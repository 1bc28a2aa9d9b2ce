-- After the door has answered: send the request to the target it named, with our cookies and keys taken out.
local find, sub, gsub, match, lower = string.find, string.sub, string.gsub, string.match, string.lower
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

local function strip_cookies(headers)
  local all = ""
  for i = 0, headers:getNumValues("cookie") - 1 do all = all .. "; " .. headers:getAtIndex("cookie", i) end
  if all == "" then return end
  all = gsub(gsub(gsub(all, ";%s*ph_[^;]*", ""), ";%s*__%a+%-ph_[^;]*", ""), ";%s*RSC%-XSRF[^;]*", "")
  if find(all, "[^;%s]") then headers:replace("cookie", (gsub(all, "^[;%s]+", ""))) else headers:remove("cookie") end
end

local function strip_keys(headers)
  local authorization = lower(headers:get("authorization") or "")
  if find(authorization, "%f[%w]key%s") or find(authorization, "bearer%s+ph_") then headers:remove("authorization") end
end

local function to_app(handle, headers, said)
  local mount, path = said["x-ph-mount"] or "", headers:get(":path")
  if not is_job(said["x-ph-dst"]) or mount == "" or sub(path, 1, #mount) ~= mount then
    handle:respond({ [":status"] = "503", ["content-type"] = "text/plain; charset=utf-8" }, "The target of this address was refused.\n")
    return false
  end
  headers:replace(":path", (said["x-ph-inner"] or "/") .. sub(path, #mount + 1))
  strip_cookies(headers)
  strip_keys(headers)
  return true
end

function envoy_on_request(handle)
  local said = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.ext_authz")
  local to, headers = said and said["x-ph-to"], handle:headers()
  if not to then return end
  if to == "file" then
    headers:replace(":path", "/.ph-f/" .. (said["x-ph-file"] or ""))
    if said["x-ph-range"] then headers:replace("range", said["x-ph-range"]) else headers:remove("range") end
  elseif to == "page" then
    if said["x-ph-path"] then headers:replace(":path", said["x-ph-path"]) end
  elseif not to_app(handle, headers, said) then
    return
  end
  handle:clearRouteCache()
end
