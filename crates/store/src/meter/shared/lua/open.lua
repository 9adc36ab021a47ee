-- All is known again, unless another replica has joined since the store was read. ARGV: the joins that were seen.
if not known() then return {'stale'} end
if redis.call('HGET', P .. ':epoch', 'phase') == 'open' then return {'open'} end
if redis.call('HGET', P .. ':epoch', 'joins') ~= next_text() then return {'again'} end
redis.call('HSET', P .. ':epoch', 'phase', 'open')
return {'open'}
