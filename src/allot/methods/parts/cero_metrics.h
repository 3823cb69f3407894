// CERO's metrics of a round.
#pragma once

#include <span>

#include "allot/methods/parts/cero_pool.h"
#include "allot/methods/parts/group_pool.h"
#include "allot/methods/parts/metric_list.h"

namespace allot {

// Of the prompts that were executed, with the beliefs they were chosen by: selected_p_mean,
// predicted_variance and observed_variance (ddof 1), and lift_{0,20,40,60,80}: a bin's share of the
// executed prompts over its share of the pool, by predicted pass rate in percent.
MetricList cero_round_metrics(const CeroPool& pool, std::span<const CeroVisit> visits,
                              const GroupPool& groups);

// vartheta_{mean,max}, tied_share, exposure_{q10,q50,q90} (executed units over the equal share),
// visits_hist/{0..7,8_up}: shares of the pool by whole groups, a part counted as one.
void set_pool_metrics(MetricList& metrics, const CeroPool::Summary& summary,
                      const CeroScale& scale);

}  // namespace allot
