-- For wrk: POSTs one file again and again, and in the end writes what was measured.
--
--   SERVING_RESULT=FILE wrk ... -s serving_post.lua URL -- BODY [NAME VALUE]...
--
-- FILE gets "requests", "duration" in microseconds, "refused" (any status that is no success),
-- "broken" (no answer), then a line "MICROSECONDS COUNT" for each latency that occurred.

local post

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local headers = {}
  for index = 2, #arguments, 2 do
    headers[arguments[index]] = arguments[index + 1]
  end
  post = wrk.format("POST", nil, headers, file:read("*a"))
  file:close()
end

function request()
  return post
end

function done(summary, latency, requests)
  local errors = summary.errors
  local out = assert(io.open(os.getenv("SERVING_RESULT"), "w"))
  out:write("requests ", summary.requests, "\n")
  out:write("duration ", summary.duration, "\n")
  out:write("refused ", errors.status, "\n")
  out:write("broken ", errors.connect + errors.read + errors.write + errors.timeout, "\n")
  for index = 1, #latency do
    local value, count = latency(index)
    out:write(value, " ", count, "\n")
  end
  out:close()
end
