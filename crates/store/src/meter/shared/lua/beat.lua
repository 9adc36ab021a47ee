-- A replica lives. Whoever was not heard of for the time of a lease is taken for dead: its places are free, and what it had
-- reserved is charged in full, because nobody knows what it did cost. ARGV: lease time in ms.
-- What it was charged and had not written to the store is handed on with that.
-- Returns phase, age in ms, replicas that have not joined, joins, the time in ms, number of replicas, replicas, then what is to be written to the store: meter, cost.
if not known() then return {'stale'} end
local now, lease_us = now_us(), next_number() * 1000
local ms = math.floor(now / 1000)
redis.call('ZADD', P .. ':replicas', whole(now + lease_us), REPLICA)
local charged = {}
local function hand_on(name, cost)
  owe(REPLICA, name, cost)
  charged[#charged + 1] = name
  charged[#charged + 1] = whole(cost)
end
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', P .. ':replicas', '-inf', '(' .. whole(now))) do
  local held = redis.call('HGETALL', P .. ':l:' .. dead)
  for at = 1, #held, 2 do
    local lease = cmsgpack.unpack(held[at + 1])
    local reserved = lease[1]
    leave(dead, held[at], lease)
    if reserved > 0 then
      for _, name in ipairs(lease[2]) do
        spend(read(name), reserved, ms)
        hand_on(name, reserved)
      end
    end
  end
  local owed = redis.call('HGETALL', P .. ':u:' .. dead)
  for at = 1, #owed, 2 do
    local cost = tonumber(owed[at + 1]) or 0
    if cost > 0 then hand_on(owed[at], cost) end
  end
  redis.call('DEL', P .. ':l:' .. dead, P .. ':r:' .. dead, P .. ':u:' .. dead)
  redis.call('ZREM', P .. ':replicas', dead)
  redis.call('SREM', P .. ':joined', dead)
end
local epoch = redis.call('HMGET', P .. ':epoch', 'phase', 'since', 'joins')
local replicas = redis.call('ZRANGE', P .. ':replicas', 0, -1)
local missing = 0
if epoch[1] == 'gather' then
  for _, replica in ipairs(replicas) do
    if redis.call('SISMEMBER', P .. ':joined', replica) == 0 then missing = missing + 1 end
  end
end
local reply = {epoch[1], whole(math.floor((now - tonumber(epoch[2])) / 1000)), missing, epoch[3], whole(ms), #replicas}
for _, replica in ipairs(replicas) do reply[#reply + 1] = replica end
for _, text in ipairs(charged) do reply[#reply + 1] = text end
return reply
