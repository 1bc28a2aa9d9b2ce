-- Before the door is asked: refuse paths that two readers could read differently. On the way back: keep apps' cookies in
-- their mount and dress files. Paths come here after normalize_path and merge_slashes.
local find, sub, byte, match, gsub, lower = string.find, string.sub, string.byte, string.match, string.gsub, string.lower
local AUTHZ = "envoy.filters.http.ext_authz"

local function refuse(handle, why)
  handle:respond({ [":status"] = "400", ["content-type"] = "text/plain; charset=utf-8" }, why .. "\n")
end

-- Dots, slashes and semicolons that hide behind percent signs, backslashes, and the end of a C string.
local function is_ambiguous(path)
  local seen = gsub(gsub(gsub(lower(match(path, "^[^?]*")), "%%2e", "."), "%%2f", "/"), "%%3b", ";")
  return find(seen, "\\", 1, true) or find(seen, "%5c", 1, true) or find(seen, "%00", 1, true)
    or find(seen .. "/", "/%.%.?[/;]") or find(seen, "//", 1, true)
end

function envoy_on_request(handle)
  local path = handle:headers():get(":path")
  if find(path, "^[^?]*[;\\%%]") and is_ambiguous(path) then
    return refuse(handle, "This address can be read in more than one way. Write it without encoded dots, slashes and backslashes.")
  end
  if byte(path, 2) == 46 and find(path, "^/%.ph%-f") then
    return refuse(handle, "This address is reserved.")
  end
  handle:streamInfo():dynamicMetadata():set("ph", "asked", path)
end

-- A cookie of an app: none of our names (a cookie without a name is sent as its bare value), no Domain, no Path above the mount.
local function kept(cookie, mount)
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

function envoy_on_response(handle)
  local said = handle:streamInfo():dynamicMetadata():get(AUTHZ)
  local to = said and said["x-ph-to"]
  if not to then return end
  local headers = handle:headers()
  if sub(to, 1, 3) == "app" then
    local count = headers:getNumValues("set-cookie")
    if count > 0 then rewrite_cookies(headers, count, said["x-ph-mount"]) end
  elseif to == "file" and find(headers:get(":status"), "^20") then
    if said["x-ph-etag"] then headers:replace("etag", said["x-ph-etag"]) end
    if said["x-ph-ctype"] then headers:replace("content-type", said["x-ph-ctype"]) end
    if said["x-ph-cc"] then headers:replace("cache-control", said["x-ph-cc"]) end
  end
end
