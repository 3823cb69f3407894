#include "allot/methods/parts/filtered_batch.h"

#include <algorithm>

#include "allot/methods/parts/batch_builder.h"

namespace allot {

FilteredBatch filtered_batch(const GroupPool& pool, Surplus& surplus, const Acceptance& acceptance,
                             const AdvantageRule& rule, std::uint32_t wanted, Rest rest) {
  const auto fresh = acceptance.accepted(pool.groups());
  FilteredBatch out;
  out.old = std::min<std::size_t>(surplus.size(), wanted);
  out.used = std::min(fresh.size(), wanted - out.old);
  out.rest = fresh.size() - out.used;
  std::vector<Shipment> shipments;
  for (const Group& group : std::span(surplus.groups()).first(out.old))
    shipments.push_back({&group, Anchor::Behaviour});
  for (const Group* group : std::span(fresh).first(out.used)) shipments.push_back({group});
  out.batch = batch_of(shipments, pool.groups(), rule);
  surplus.drop_oldest(out.old);
  out.batch.release = surplus.take_released();
  if (rest == Rest::Hold) out.batch.hold = surplus.keep(std::span(fresh).subspan(out.used));
  return out;
}

}  // namespace allot
