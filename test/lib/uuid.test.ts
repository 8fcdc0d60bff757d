import t from 'tap'
import { uuid } from '../../lib/uuid.js'

t.test('every id is a UUID of version 4, and no two are the same', async (t) => {
  const ids = Array.from({ length: 1000 }, uuid)
  for (const id of ids) {
    if (!/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)) t.fail(id)
  }
  t.equal(new Set(ids).size, ids.length)
})
