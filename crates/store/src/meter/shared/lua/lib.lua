-- What all scripts share. Everything is under one prefix with a hash tag, so that it lies on one node.
-- Money is whole millionths of a dollar, time is microseconds of this server's clock: both are exact in a double up to 2^53.
local P = KEYS[1]
local EPOCH, REPLICA, GENERATION = ARGV[1], ARGV[2], ARGV[3]
local MINUTE = 60000000
local HOUR, DAY = 3600000, 86400000
local FIELDS = {'in', 'rs', 'rq', 'tk', 'a1', 's1', 'a2', 's2', 'a3', 's3'}

local function whole(number)
  return string.format('%.0f', number)
end

local function now_us()
  --CLOCK
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Whether the caller speaks of the state that is here, over the connection that it spoke over last.
local function known()
  return redis.call('HGET', P .. ':epoch', 'id') == EPOCH
    and redis.call('HGET', P .. ':r:' .. REPLICA, 'gen') == GENERATION
end

local function month_start(ms)
  local day = math.floor(ms / DAY)
  local of_era = (day + 719468) % 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524)
    - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * of_year + 2) / 153)
  return (day - (of_year - math.floor((153 * month + 2) / 5))) * DAY
end

local function start_of(period, ms)
  if period == 1 then return ms - ms % HOUR end
  if period == 2 then return ms - ms % DAY end
  return month_start(ms)
end

local function end_of(period, ms)
  local start = start_of(period, ms)
  if period == 1 then return start + HOUR end
  if period == 2 then return start + DAY end
  return math.max(month_start(start + 31 * DAY), start + 28 * DAY)
end

-- in: requests under way, rs: reserved, rq and tk: when requests and tokens are paid back,
-- aN and sN: when the period began and what was spent in it.
local function read(id)
  local key = P .. ':m:' .. id
  local values = redis.call('HMGET', key, unpack(FIELDS))
  local meter = {key = key}
  for at, field in ipairs(FIELDS) do
    meter[field] = tonumber(values[at] or '0') or 0
  end
  return meter
end

local function write(meter, ...)
  local pairs_ = {}
  for _, field in ipairs({...}) do
    pairs_[#pairs_ + 1] = field
    pairs_[#pairs_ + 1] = whole(meter[field])
  end
  redis.call('HSET', meter.key, unpack(pairs_))
end

local function spent(meter, period, ms)
  if meter['a' .. period] >= start_of(period, ms) then return meter['s' .. period] end
  return 0
end

local function spend(meter, cost, ms)
  for period = 1, 3 do
    local start = start_of(period, ms)
    if meter['a' .. period] < start then
      meter['a' .. period], meter['s' .. period] = start, 0
    end
    meter['s' .. period] = meter['s' .. period] + cost
  end
  write(meter, 'a1', 's1', 'a2', 's2', 'a3', 's3')
end

-- What a replica was charged and has not written to the store yet: whoever finds it dead writes it in its place. It may be less than
-- nothing for a moment, where something is written before it is told.
local function owe(replica, name, cost)
  if cost ~= 0 then redis.call('HINCRBY', P .. ':u:' .. replica, name, whole(cost)) end
end

-- A lease: {reserved, meters, those of them with a budget, what was charged already, whether it is settled}.
local function take(replica, id, reserved, meters, budgeted, forfeit, settled)
  for _, name in ipairs(meters) do
    redis.call('HINCRBY', P .. ':m:' .. name, 'in', 1)
  end
  if reserved > 0 then
    for _, name in ipairs(budgeted) do
      redis.call('HINCRBY', P .. ':m:' .. name, 'rs', whole(reserved))
    end
  end
  redis.call('HSET', P .. ':l:' .. replica, id, cmsgpack.pack({reserved, meters, budgeted, forfeit, settled}))
end

local function unreserve(lease)
  if lease[1] > 0 then
    for _, name in ipairs(lease[3]) do
      local meter = read(name)
      meter.rs = math.max(meter.rs - lease[1], 0)
      write(meter, 'rs')
    end
  end
  lease[1] = 0
end

local function leave(replica, id, lease)
  unreserve(lease)
  for _, name in ipairs(lease[2]) do
    local meter = read(name)
    meter['in'] = math.max(meter['in'] - 1, 0)
    write(meter, 'in')
  end
  redis.call('HDEL', P .. ':l:' .. replica, id)
end

local function lease_of(replica, id)
  local packed = redis.call('HGET', P .. ':l:' .. replica, id)
  return packed and cmsgpack.unpack(packed)
end

-- Reads the arguments from the fourth on.
local place = 3
local function next_text()
  place = place + 1
  return ARGV[place]
end
local function next_number()
  return tonumber(next_text())
end
local function next_texts()
  local texts = {}
  for at = 1, next_number() do texts[at] = next_text() end
  return texts
end
-- Meters with their limits: name, requests and tokens a minute, concurrency (-1 for none), budgets (period, amount).
local function next_meters()
  local meters = {}
  for at = 1, next_number() do
    local wanted = {name = next_text(), rpm = next_number(), burst = next_number(), tpm = next_number(),
      concurrency = next_number(), budgets = {}}
    for number = 1, next_number() do
      wanted.budgets[number] = {period = next_number(), amount = next_number()}
    end
    meters[at] = wanted
  end
  return meters
end
