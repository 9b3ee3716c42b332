-- Requests for wrk from a file with one body a line, in their order; after the last one the first comes again.
-- Arguments: the file, the line to begin with. Writes what it measured as one line of JSON.
local bodies, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do bodies[#bodies + 1] = line end
  at = tonumber(args[2])
end

-- The old load script sends no Content-Type, which FastAPI refuses today.
local headers = { ["Content-Type"] = "application/json" }

function request()
  local body = bodies[at % #bodies + 1]
  at = at + 1
  return wrk.format("POST", nil, headers, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"wall_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
