-- Lets a request in at every meter or at none. ARGV: its lease's name, meters.
if not known() then return {'stale'} end
local id, meters = next_text(), next_meters()
local now = now_us()
local ms = math.floor(now / 1000)
local gather = redis.call('HGET', P .. ':epoch', 'phase') == 'gather'
local states = {}
for at, wanted in ipairs(meters) do
  if gather and #wanted.budgets > 0 then return {'gather'} end
  local meter = read(wanted.name)
  states[at] = meter
  if wanted.concurrency >= 0 and meter['in'] >= wanted.concurrency then
    return {'concurrency', at}
  end
  for _, budget in ipairs(wanted.budgets) do
    if spent(meter, budget.period, ms) >= budget.amount then
      return {'budget', at, whole(end_of(budget.period, ms) - ms)}
    end
  end
  if wanted.tpm >= 0 then
    local owed = math.max(meter.tk - now, 0)
    if wanted.tpm == 0 or owed >= MINUTE then
      local wait = 60000
      if wanted.tpm > 0 then wait = math.max(math.ceil((owed - MINUTE) / 1000), 1) end
      return {'tokens', at, whole(wait), 0, whole(math.ceil(owed / 1000))}
    end
  end
  if wanted.rpm >= 0 then
    if wanted.rpm == 0 then return {'requests', at, 60000, 0, 0} end
    local step = math.ceil(MINUTE / wanted.rpm)
    local owed = math.max(meter.rq - now, 0)
    local room = wanted.burst * step
    if owed + step > room then
      return {'requests', at, whole(math.ceil((owed + step - room) / 1000)),
        whole(math.max(math.floor((room - owed) / step), 0)), whole(math.ceil(owed / 1000))}
    end
  end
end
local reply, names, budgeted = {'ok'}, {}, {}
for at, wanted in ipairs(meters) do
  local meter = states[at]
  names[at] = wanted.name
  if #wanted.budgets > 0 then budgeted[#budgeted + 1] = wanted.name end
  local requests, requests_reset, tokens, tokens_reset = -1, 0, -1, 0
  if wanted.rpm >= 0 then
    local step = math.ceil(MINUTE / wanted.rpm)
    meter.rq = math.max(meter.rq, now) + step
    write(meter, 'rq')
    local owed = meter.rq - now
    requests = math.floor(math.max(wanted.burst * step - owed, 0) / step)
    requests_reset = math.ceil(owed / 1000)
  end
  if wanted.tpm >= 0 then
    local owed = math.max(meter.tk - now, 0)
    tokens = math.min(math.floor(math.max(MINUTE - owed, 0) * wanted.tpm / MINUTE), wanted.tpm)
    tokens_reset = math.ceil(owed / 1000)
  end
  for _, number in ipairs({requests, requests_reset, tokens, tokens_reset}) do
    reply[#reply + 1] = whole(number)
  end
end
take(REPLICA, id, 0, names, budgeted, 0)
return reply
