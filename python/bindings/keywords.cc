#include "bindings/keywords.h"

#include <algorithm>

#include "allot/core/error.h"
#include "allot/core/joined.h"
#include "allot/methods/pairs.h"

namespace allot::python {
namespace {

// The value as the text that --set would take.
std::string option_text(nb::handle value, std::string_view name) {
  const Place place{name};
  if (PyBool_Check(value.ptr())) return value.is(Py_True) ? "true" : "false";
  if (PyUnicode_Check(value.ptr())) return nb::cast<std::string>(value);
  if (is_whole(value))
    return nb::cast<std::string>(nb::str(nb::steal(PyNumber_Index(value.ptr()))));
  if (is_number(value))  // the shortest text that reads back as the same number
    return nb::cast<std::string>(nb::repr(nb::float_(number(value, place, "a number"))));
  if (!PyBytes_Check(value.ptr()) && !PyDict_Check(value.ptr()) && nb::hasattr(value, "__iter__")) {
    std::string list;
    for (const nb::handle part : nb::borrow(value))
      list += (list.empty() ? "" : ", ") + option_text(part, name);
    return "[" + list + "]";
  }
  refuse_value(place, value, "a number, a str, a bool or a list of those");
}

std::string with_underscores(std::string text) {
  std::replace(text.begin(), text.end(), '.', '_');
  return text;
}

// "alloc.aero.explore" -> "aero_explore"
std::string long_form(const std::string& key) {
  return with_underscores(key.substr(key.find('.') + 1));
}

}  // namespace

Keywords::Offer* Keywords::find(std::string_view name) {
  const auto found = std::find_if(offers_.begin(), offers_.end(),
                                  [&](const Offer& offer) { return offer.name == name; });
  return found == offers_.end() ? nullptr : &*found;
}

void Keywords::offer(const OptionList& list, std::string_view prefix, std::string_view lead) {
  for (const Option& option : list.all()) {
    if (!option.key.starts_with(prefix)) continue;
    std::string name = concat(lead, with_underscores(option.key.substr(prefix.size())));
    if (!find(name)) offers_.push_back({std::move(name), lists_.size(), option.key, {}});
  }
  lists_.push_back(list);
}

void Keywords::offer_rivals(const OptionList& list, std::string_view prefix) {
  for (const Option& option : list.all()) {
    if (!option.key.starts_with(prefix)) continue;
    Offer* const other = find(with_underscores(option.key.substr(prefix.size())));
    if (!other) continue;
    if (other->rivals.empty()) other->rivals.push_back(long_form(other->key));
    other->rivals.push_back(long_form(option.key));
  }
  offer(list, prefix, "");
}

std::vector<Keyword> Keywords::all() const {
  std::vector<Keyword> keywords;
  for (const Offer& offer : offers_)
    if (offer.rivals.empty()) keywords.push_back({offer.name, lists_[offer.list].find(offer.key)});
  return keywords;
}

void Keywords::set(nb::dict given, std::string_view where) {
  for (const auto [key, value] : given) {
    const std::string name = nb::cast<std::string>(key);
    if (!PyDict_Check(value.ptr())) {
      set_one(name, value, where);
      continue;
    }
    for (const auto [inner, inner_value] : nb::borrow<nb::dict>(value))
      set_one(concat(name, "_", nb::cast<std::string>(nb::str(inner))), inner_value, where);
  }
}

void Keywords::set_one(const std::string& name, nb::handle value, std::string_view where) {
  const Offer* const offer = find(name);
  if (!offer) {
    std::vector<std::string> names;
    for (const Keyword& keyword : all()) names.push_back(keyword.name);
    const std::string near = nearest(name, names);
    throw Error(
        ErrorKind::Config, where,
        concat("unknown option '", name, "' was given; one of ", joined(names), " is needed"),
        near.empty() ? "" : concat("did you mean '", near, "'?"));
  }
  if (!offer->rivals.empty())
    throw Error(ErrorKind::Config, where,
                concat("'", name, "' was given, which is an option of both methods; ",
                       joined(offer->rivals, " or "), " is needed"));
  if (!value.is_none()) lists_[offer->list].set(offer->key, option_text(value, name), where);
}

namespace {

// What every method takes.
void offer_shared(Keywords& keywords, AllocOptions& alloc, AdvantageOptions& adv) {
  const OptionList shared = OptionList::of(alloc, "alloc");
  for (const char* name : {"group_size", "n_min", "n_max", "prior_strength"})
    keywords.offer(shared, concat("alloc.", name), name);
  keywords.offer(OptionList::of(adv, "adv"), "adv.", "adv_");
}

}  // namespace

Keywords own_keywords(AllocOptions& alloc, const std::string& method) {
  Keywords keywords;
  const OptionList own = method_options(alloc, method);
  const std::vector<std::string> parts = parts_of(method_info(method).name);
  for (const std::string& part : parts) keywords.offer_rivals(own, concat("alloc.", part, "."));
  keywords.offer(own, "alloc.refill.", "refill_");
  // The long forms of what means two things.
  std::vector<std::string> reached;
  for (const Keyword& keyword : keywords.all()) reached.push_back(keyword.option->key);
  for (const Option& option : own.all())
    if (std::find(reached.begin(), reached.end(), option.key) == reached.end())
      keywords.offer(own, option.key, long_form(option.key));
  return keywords;
}

Keywords shared_keywords(AllocOptions& alloc, AdvantageOptions& adv) {
  Keywords keywords;
  offer_shared(keywords, alloc, adv);
  return keywords;
}

Keywords method_keywords(AllocOptions& alloc, AdvantageOptions& adv, const std::string& method) {
  Keywords keywords = own_keywords(alloc, method);
  offer_shared(keywords, alloc, adv);
  keywords.offer(method_options(alloc, method), "alloc.", "");
  return keywords;
}

}  // namespace allot::python
