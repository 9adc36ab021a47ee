-- Says which state this is; where there is none, or where the server is another run than the one that the state was made in (so
-- that the last of it may be missing), a new epoch begins. ARGV: a name for it, -, -, the server's run.
local epoch = redis.call('HMGET', P .. ':epoch', 'id', 'run', 'phase')
local run = next_text()
if epoch[1] and epoch[2] == run then
  return {epoch[1], epoch[3]}
end
local now = now_us()
redis.call('DEL', P .. ':joined')
redis.call('HSET', P .. ':epoch', 'id', EPOCH, 'run', run, 'phase', 'gather', 'since', whole(now), 'joins', 0)
-- Those who were here before get the time of a lease to come back.
local lease = next_number() * 1000
for _, replica in ipairs(redis.call('ZRANGE', P .. ':replicas', 0, -1)) do
  redis.call('ZADD', P .. ':replicas', whole(now + lease), replica)
end
return {EPOCH, 'gather'}
