-- After the door has answered: send the request to the target it named, with our cookies and keys taken out.
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
  strip_cookies(headers, cookies_of(headers))
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
