// Keyword arguments of Python as options: aero's `explore` is alloc.aero.explore, `adv_scale` or
// adv={"scale": ..} is adv.scale. Which keywords there are, and what they may be, is what the
// options' single declaration in C++ says.
//
//   own options of a method   explore=8             and aero_explore=8, aero={"explore": 8}
//   shared options            group_size=8, n_min=2
//   groups of options         adv_scale="none"      and adv={"scale": "none"}; refill_.. likewise
//
// Where a keyword means two things, the method's own option wins over a shared one; of the two
// methods of a combination neither does, and the long form is asked for. None leaves the default.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/core/options.h"
#include "allot/methods/registry.h"
#include "bindings/values.h"

namespace allot::python {

struct Keyword {
  std::string name;
  const Option* option;
};

class Keywords {
 public:
  // Offers the options of `list` whose key begins with `prefix` ("alloc.aero.") under lead + the
  // rest of the key with '_' for '.'. A name that was offered before stays what it was ..
  void offer(const OptionList& list, std::string_view prefix, std::string_view lead);
  // .. or means neither, if both are options of methods of one rank.
  void offer_rivals(const OptionList& list, std::string_view prefix);

  // Throws Error(Config) that names the nearest keyword. `where`: "Controller('aero')".
  void set(nb::dict given, std::string_view where);

  // In the order of the offers, without those that mean two things. Lives as long as this.
  std::vector<Keyword> all() const;

 private:
  struct Offer {
    std::string name;
    std::size_t list;
    std::string key;
    std::vector<std::string> rivals;  // long forms, where the name alone means two things
  };
  Offer* find(std::string_view name);
  void set_one(const std::string& name, nb::handle value, std::string_view where);

  std::vector<OptionList> lists_;
  std::vector<Offer> offers_;
};

// `alloc` and `adv` outlive the results.
Keywords own_keywords(AllocOptions& alloc, const std::string& method);  // each option once
Keywords shared_keywords(AllocOptions& alloc, AdvantageOptions& adv);   // each option once
Keywords method_keywords(AllocOptions& alloc, AdvantageOptions& adv, const std::string& method);

}  // namespace allot::python
