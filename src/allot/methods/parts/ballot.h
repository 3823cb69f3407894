// Majority votes over answers, and when they are decisive (OptPO, arXiv 2512.02882).
//
// Hypothesis H_j: answer j is the model's most likely one. A vote equals it with probability p0 and
// a given other answer with p1 = (1 - p0) / (m - 1), for m answers. From a uniform prior the
// posterior odds of the leader against the runner-up are then (p0 / p1)^(lead), so that
//
//   odds >= A   if and only if   lead >= ceil(ln A / ln(p0 / p1))
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace allot {

struct VoteRule {
  double p0 = 0.5;
  double evidence = 19;       // A
  std::uint32_t classes = 4;  // least m; the number of answers seen counts where it is larger
};

// The lead that decides with `seen` different answers; no number if votes say nothing (p0 <= p1).
std::optional<std::uint32_t> needed_lead(const VoteRule& rule, std::uint32_t seen);

class Ballot {
 public:
  void add(std::int64_t answer);
  void clear();  // keeps the room of its votes

  std::uint32_t classes() const { return static_cast<std::uint32_t>(votes_.size()); }
  std::uint32_t lead() const;  // of the first over the second; 0 without votes
  // The answer with most votes; none without votes or if two share the lead.
  std::optional<std::int64_t> leader() const;
  bool decided(const VoteRule& rule) const;
  std::uint32_t changes() const { return changes_; }  // times that a leader gave way to another

  template <class V>
  void state(V& v) {
    v(votes_);
    v(last_leader_);
    v(changes_);
  }

 private:
  struct Votes {
    std::int64_t answer = 0;
    std::uint32_t votes = 0;
    template <class V>
    void state(V& v) {
      v(answer);
      v(votes);
    }
  };
  std::vector<Votes> votes_;  // a handful of answers, in the order of their first vote
  std::optional<std::int64_t> last_leader_;
  std::uint32_t changes_ = 0;
};

}  // namespace allot
