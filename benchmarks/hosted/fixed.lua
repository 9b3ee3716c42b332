-- One body for wrk, again and again. Arguments: file of the body, its Content-Type, length of the JSON part or 0.
-- Writes what it measured as one line of JSON.
local text

function init(args)
  local file = io.open(args[1], "rb")
  local body = file:read("*a")
  file:close()
  local headers = { ["Content-Type"] = args[2] }
  if args[3] ~= "0" then headers["Inference-Header-Content-Length"] = args[3] end
  text = wrk.format("POST", nil, headers, body)
end

function request()
  return text
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"wall_us":%d,"p50_us":%d,"p99_us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
