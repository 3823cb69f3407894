// Vectors of records as numpy columns, without a copy, and one by one as records.
//
// A column is a view into the records with their size as stride; it keeps the Python object alive
// that owns them. Unsigned counts and ids (all below 2^63) are shown as signed numbers of the same
// size: numpy makes floats of int64 and uint64 together, and torch has hardly any unsigned types.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <nanobind/ndarray.h>

#include "allot/core/error.h"
#include "bindings/bindings.h"

namespace allot::python {

template <class Shown>
using Array = nb::ndarray<nb::numpy, Shown, nb::ndim<1>>;

template <class Field>
struct ShownAs {
  using type = Field;
};
template <>
struct ShownAs<std::uint64_t> {
  using type = std::int64_t;
};
template <>
struct ShownAs<std::uint32_t> {
  using type = std::int32_t;
};

template <class Row, class Field>
using ShownField =
    typename ShownAs<std::conditional_t<std::is_enum_v<Field>, std::uint8_t, Field>>::type;

template <class Row, class Field>
Array<ShownField<Row, Field>> column(const std::vector<Row>& rows, Field Row::*field,
                                     nb::handle owner) {
  using Shown = ShownField<Row, Field>;
  static_assert(sizeof(Shown) == sizeof(Field) && sizeof(Row) % sizeof(Field) == 0);
  static Row none{};
  Row* first = const_cast<Row*>(rows.empty() ? &none : rows.data());
  const std::size_t shape[] = {rows.size()};
  const std::int64_t strides[] = {sizeof(Row) / sizeof(Field)};
  return Array<Shown>(&(first->*field), 1, shape, owner, strides);
}

// A view of ids, which `owner` keeps alive.
inline Array<std::int64_t> id_column(std::vector<std::uint64_t>& ids, nb::handle owner) {
  static std::uint64_t none = 0;
  const std::size_t shape[] = {ids.size()};
  return Array<std::int64_t>(ids.empty() ? &none : ids.data(), 1, shape, owner);
}

// A column of its own, e.g. one that is computed.
template <class Shown>
Array<Shown> owned_column(std::vector<Shown> values) {
  auto* kept = new std::vector<Shown>(std::move(values));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<decltype(kept)>(p); });
  return Array<Shown>(kept->data(), {kept->size()}, owner);
}

// A table: `rows` of Table shown as columns, by index as records, and through len() and iteration.
template <class Table>
class TableClass {
 public:
  using Row = typename decltype(Table::rows)::value_type;

  TableClass(nb::module_& m, const char* table_name, const char* row_name, const char* doc)
      : row_(m, row_name), table_(m, table_name, doc) {
    table_.def("__len__", [](const Table& table) { return table.rows.size(); });
    table_.def("__getitem__", [](const Table& table, std::ptrdiff_t i) {
      const auto n = static_cast<std::ptrdiff_t>(table.rows.size());
      if (i < -n || i >= n) throw nb::index_error();  // also what ends a loop over the table
      return table.rows[static_cast<std::size_t>(i < 0 ? i + n : i)];
    });
    const std::string iterate =
        std::string("def __iter__(self) -> collections.abc.Iterator[") + row_name + "]";
    table_.def(
        "__iter__", [](nb::handle self) { return nb::steal(PySeqIter_New(self.ptr())); },
        nb::sig(iterate.c_str()));
  }

  // A member as a column of the table and as an attribute of the record.
  template <class Field>
  TableClass& field(const char* name, Field Row::*member, const char* doc) {
    static_assert(!std::is_enum_v<Field>, "named() shows an enum");
    row_.def_ro(name, member, doc);
    return only_column(name, member, doc);
  }
  // An enum: codes in the column, their names in the record.
  template <class Field>
  TableClass& named(const char* name_of_field, Field Row::*member, const char* doc) {
    row_.def_prop_ro(
        name_of_field, [member](const Row& row) { return name(row.*member); }, doc);
    return only_column(name_of_field, member, doc);
  }

  nb::class_<Table>& table() { return table_; }
  nb::class_<Row>& row() { return row_; }

 private:
  template <class Field>
  TableClass& only_column(const char* name, Field Row::*member, const char* doc) {
    table_.def_prop_ro(
        name,
        [member](nb::handle self) {
          return column(nb::cast<const Table&>(self).rows, member, self);
        },
        doc);
    return *this;
  }

  nb::class_<Row> row_;
  nb::class_<Table> table_;
};

}  // namespace allot::python
