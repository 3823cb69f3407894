// A method's own options at alloc.<method>.*, held as a value of any type.
//
// The type has `template <class V> void fields(V& v)` and `void validate(const AllocOptions&)
// const`, which throws Error(Config). This is what lets a method's file keep its option struct to
// itself: nothing else has to know the type.
#pragma once

#include <memory>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/options.h"

namespace allot {

struct AllocOptions;

class MethodSection {
 public:
  template <class Options>
  requires(!std::is_same_v<Options, MethodSection>) explicit MethodSection(Options options)
      : holder_(std::make_unique<Holder<Options>>(std::move(options))) {}

  MethodSection(const MethodSection& other) : holder_(other.holder_->clone()) {}
  MethodSection& operator=(const MethodSection& other) {
    holder_ = other.holder_->clone();
    return *this;
  }
  MethodSection(MethodSection&&) noexcept = default;
  MethodSection& operator=(MethodSection&&) noexcept = default;

  void fields(FieldVisitor& v) { holder_->fields(v); }
  void validate(const AllocOptions& shared) const { holder_->validate(shared); }

  // Throws Error(Internal) if another type is held.
  template <class Options>
  const Options& as() const {
    const auto* held = dynamic_cast<const Holder<Options>*>(holder_.get());
    if (!held)
      throw Error(ErrorKind::Internal, "method options",
                  "options of one method were asked for as those of another");
    return held->options;
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void fields(FieldVisitor& v) = 0;
    virtual void validate(const AllocOptions& shared) const = 0;
    virtual std::unique_ptr<Base> clone() const = 0;
  };
  template <class Options>
  struct Holder final : Base {
    explicit Holder(Options given) : options(std::move(given)) {}
    void fields(FieldVisitor& v) override { options.fields(v); }
    void validate(const AllocOptions& shared) const override { options.validate(shared); }
    std::unique_ptr<Base> clone() const override { return std::make_unique<Holder>(options); }
    Options options;
  };

  std::unique_ptr<Base> holder_;
};

}  // namespace allot
