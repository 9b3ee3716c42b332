-- Bodies for wrk: `$N` in a template becomes a number that counts from `first`, and begins again after `distinct`.
-- Arguments: template, first, distinct. Writes what it measured as one line of JSON.
local before, after, first, distinct
local count = 0

function init(args)
  local template = args[1]
  local place = template:find("$N", 1, true)
  before, after = template:sub(1, place - 1), template:sub(place + 2)
  first, distinct = tonumber(args[2]), tonumber(args[3])
end

local headers = { ["Content-Type"] = "application/json" }

function request()
  local number = string.format("%.0f", first + count % distinct)
  count = count + 1
  return wrk.format("POST", nil, headers, before .. number .. after)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"wall_us":%d,"p50_us":%d,"p99_us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
