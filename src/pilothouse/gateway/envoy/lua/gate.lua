-- Before the door is asked: refuse paths that two readers could read differently, and let a grant of this very visitor
-- and mount speak for the door. On the way back: keep apps' cookies in their mount, dress files, hand out grants.
-- Paths come here after normalize_path and merge_slashes.
local AUTHZ, JWT = "envoy.filters.http.ext_authz", "envoy.filters.http.jwt_authn"
local LOGIN = ';%s*@LOGIN@="?([^".;]*)'  -- the login cookie; its value begins with the login's public id
local NO_GRANT = "@NO_GRANT@"  -- the beginning of the cookie with which we take a grant back

local function refuse(handle, why)
  handle:respond({ [":status"] = "400", ["content-type"] = "text/plain; charset=utf-8" }, why .. "\n")
end

-- Dots, slashes and semicolons that hide behind percent signs, backslashes, and the end of a C string.
local function is_ambiguous(path)
  local seen = gsub(gsub(gsub(lower(match(path, "^[^?]*")), "%%2e", "."), "%%2f", "/"), "%%3b", ";")
  return find(seen, "\\", 1, true) or find(seen, "%5c", 1, true) or find(seen, "%00", 1, true)
    or find(seen .. "/", "/%.%.?[/;]") or find(seen, "//", 1, true)
end

-- Parts of a mount that are mounts of their own.
local function is_own_mount(path, from)
  local first = byte(path, from)
  if first ~= 95 and first ~= 118 then return false end  -- "_" or "v"
  local segment = match(path, "^[^/?]*", from)
  return find(segment, "^_bundle") or find(segment, "^_rev") or find(segment, "^__") or find(segment, "^v%d+$")
end

local function is_of_login(cookies, login)
  local seen = "-"
  for id in string.gmatch(cookies, LOGIN) do
    if id ~= login then return false end
    seen = id
  end
  return seen == login
end

-- ``grant`` is the claim "login host address inner mount". Only the filter that has verified it can have written it.
local function is_granted(headers, path, grant)
  local login, host, address, inner, mount = match(grant, "^(%S+) (%S+) (%S+) (%S+) (%S+/)$")
  if not mount or sub(path, 1, #mount) ~= mount or host ~= headers:get(":authority") then return false end
  if is_own_mount(path, #mount + 1) or not is_job(address) then return false end
  local cookies = cookies_of(headers)
  if not is_of_login(cookies, login) then return false end
  strip_cookies(headers, cookies)
  headers:replace(":path", inner .. sub(path, #mount + 1))  -- a changed header makes Envoy choose the route again
  return true
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path, grant = headers:get(":path"), headers:get("x-ph-g")
  if grant then headers:remove("x-ph-g") end
  if find(path, "^[^?]*[;\\%%]") and is_ambiguous(path) then
    return refuse(handle, "This address can be read in more than one way. Write it without encoded dots, slashes and backslashes.")
  end
  if byte(path, 2) == 46 and find(path, "^/%.ph%-f") then
    return refuse(handle, "This address is reserved.")
  end
  local key = grant and is_granted(headers, path, grant) and "granted" or "asked"
  handle:streamInfo():dynamicMetadata():set("ph", key, path)
end

-- A cookie of an app: none of our names (a cookie without a name is sent as its bare value), no Domain, no Path above the mount.
local function kept(cookie, mount)
  if sub(cookie, 1, #NO_GRANT) == NO_GRANT then return cookie end
  if find(cookie, "^[%s=]*ph_") or find(cookie, "^[%s=]*__%a+%-ph_") or find(cookie, "^[%s=]*RSC%-XSRF") then return nil end
  local parts, has_path = {}, false
  for part in string.gmatch(cookie, "[^;]+") do
    local key, value = match(part, "^%s*([^=%s]*)%s*=?%s*(.-)%s*$")
    key = lower(key)
    if #parts == 0 then
      parts[1] = part
    elseif key == "path" then
      has_path = true
      parts[#parts + 1] = sub(value, 1, #mount) == mount and part or " Path=" .. mount
    elseif key ~= "domain" then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, ";") .. (has_path and "" or "; Path=" .. mount)
end

local function rewrite_cookies(headers, count, mount)
  local keep = {}
  for i = 0, count - 1 do keep[#keep + 1] = kept(headers:getAtIndex("set-cookie", i), mount) end
  headers:remove("set-cookie")
  for i = 1, #keep do headers:add("set-cookie", keep[i]) end
end

-- The app's own words stay, but nobody between us and the browser may keep an answer that carries a grant.
local function hand_out(headers, grant)
  headers:add("set-cookie", grant)
  local words = { "private" }
  for i = 0, headers:getNumValues("cache-control") - 1 do
    for word in string.gmatch(headers:getAtIndex("cache-control", i), "[^,%s][^,]*") do
      local name = lower(match(word, "^[^=%s]*"))
      if name ~= "public" and name ~= "private" and name ~= "s-maxage" then words[#words + 1] = word end
    end
  end
  headers:replace("cache-control", table.concat(words, ", "))
end

local function dress_file(headers, said)
  if said["x-ph-etag"] then headers:replace("etag", said["x-ph-etag"]) end
  if said["x-ph-ctype"] then headers:replace("content-type", said["x-ph-ctype"]) end
  if said["x-ph-cc"] then headers:replace("cache-control", said["x-ph-cc"]) end
end

local function after_door(headers, said, count)
  local to, status = said["x-ph-to"], headers:get(":status")
  if to == "file" and find(status, "^20") then dress_file(headers, said) end
  if not to or sub(to, 1, 3) ~= "app" then return end
  if count > 0 then rewrite_cookies(headers, count, said["x-ph-mount"]) end
  if said["x-ph-grant"] and status < "500" then hand_out(headers, said["x-ph-grant"]) end
end

function envoy_on_response(handle)
  local metadata, headers = handle:streamInfo():dynamicMetadata(), handle:headers()
  local said, count = metadata:get(AUTHZ), headers:getNumValues("set-cookie")
  if said then
    after_door(headers, said, count)
  elseif count > 0 then
    local ours = metadata:get("ph")
    if ours and ours.granted then rewrite_cookies(headers, count, metadata:get(JWT).grant.pfx .. "/") end
  end
end
