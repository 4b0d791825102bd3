#include "formats/pytorch/state_dict.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <tuple>

#include "formats/error.h"
#include "formats/pytorch/strides.h"

namespace terse::pytorch {
namespace {

using Bytes = std::span<const std::byte>;

/// A global of the module `torch` that stands for an element type.
struct TypeName {
  std::string_view name;
  DType dtype;
};

constexpr TypeName kStorages[] = {
    {"FloatStorage", DType::f32},
    {"DoubleStorage", DType::f64},
    {"HalfStorage", DType::f16},
    {"BFloat16Storage", DType::bf16},
    {"LongStorage", DType::i64},
    {"IntStorage", DType::i32},
    {"ShortStorage", DType::i16},
    {"CharStorage", DType::i8},
    {"ByteStorage", DType::u8},
    {"BoolStorage", DType::boolean},
    {"ComplexFloatStorage", DType::complex64},
    {"ComplexDoubleStorage", DType::complex128},
};

/// Newer element types have no storage of their own: a tensor of untyped bytes names them.
constexpr TypeName kTypes[] = {
    {"uint16", DType::u16},
    {"uint32", DType::u32},
    {"uint64", DType::u64},
    {"float8_e4m3fn", DType::f8e4m3fn},
    {"float8_e4m3fnuz", DType::f8e4m3fnuz},
    {"float8_e5m2", DType::f8e5m2},
    {"float8_e5m2fnuz", DType::f8e5m2fnuz},
    {"float8_e8m0fnu", DType::f8e8m0},
};

/// A function that makes a tensor. Arguments: storage, offset, size, stride, requires_grad, hooks, then as named here.
struct Rebuild {
  std::string_view name;
  size_t least, most;   ///< number of arguments
  size_t dtype, flags;  ///< where these arguments are, if they are
};

constexpr Rebuild kRebuilds[] = {
    {.name = "_rebuild_tensor", .least = 4, .most = 4, .dtype = 9, .flags = 9},
    {.name = "_rebuild_tensor_v2", .least = 6, .most = 7, .dtype = 9, .flags = 6},
    {.name = "_rebuild_tensor_v3", .least = 7, .most = 8, .dtype = 6, .flags = 7},
};

constexpr Global kOrderedDict = {"collections", "OrderedDict"};
constexpr Global kUntypedStorage = {"torch.storage", "UntypedStorage"};
constexpr Global kParameter = {"torch._utils", "_rebuild_parameter"};

bool equal(const Global& a, const Global& b) { return a.module == b.module && a.name == b.name; }

template <typename Row, size_t kCount>
const Row* find_row(const Row (&rows)[kCount], std::string_view module, const Global& global) {
  const auto* found = std::ranges::find(rows, global.name, &Row::name);
  return global.module != module || found == std::end(rows) ? nullptr : found;
}

constexpr const char* kKinds[] = {"None",   "a bool", "an int",   "a float",   "a text",   "a tuple",
                                  "a list", "a dict", "a global", "an object", "a storage"};
static_assert(std::size(kKinds) == std::variant_size_v<Value>);

class StateDict {
 public:
  using Storage = std::function<Bytes(std::string_view key)>;

  StateDict(const Pickle& pickle, const Storage& storage, const std::shared_ptr<const MappedFile>& file)
      : pickle_(pickle), storage_(storage), file_(file), copies_left_(std::ssize(file->bytes())) {}

  std::map<std::string, Tensor, std::less<>> read() {
    std::map<std::string, Tensor, std::less<>> tensors;
    for (const auto& [key, value] : dict(pickle_.root).items) {
      const std::string name(get<std::string_view>(key, "a tensor's name"));
      with_context(fmt::format("tensor '{}'", name), [&, &item = value] {
        if (name.empty() || !tensors.emplace(name, tensor(item)).second) {
          throw Error(Kind::input, "the name {}", name.empty() ? "is empty" : "occurs twice");
        }
      });
    }
    return tensors;
  }

 private:
  struct Elements {
    DType dtype = DType::undefined;  ///< undefined: bytes of any type
    std::string_view key;
    Bytes bytes;
  };

  template <typename T>
  const T& get(Ref ref, const char* expected) const {
    const Value& value = pickle_.values.at(ref);
    const T* found = std::get_if<T>(&value);
    if (found == nullptr) {
      throw Error(Kind::input, "the pickle holds {}, expected {}", kKinds[value.index()], expected);
    }
    return *found;
  }

  const Dict& dict(Ref ref) const {
    const auto* object = std::get_if<Object>(&pickle_.values.at(ref));
    if (object == nullptr) {
      return get<Dict>(ref, "a state dict");
    }
    if (!equal(callee(*object), kOrderedDict) || !arguments(*object).empty()) {
      throw Error(Kind::input, "the pickle holds an object of {}.{}, expected a state dict", callee(*object).module,
                  callee(*object).name);
    }
    return object->added;
  }

  const Global& callee(const Object& object) const { return get<Global>(object.callee, "a global"); }
  const std::vector<Ref>& arguments(const Object& object) const {
    return get<Tuple>(object.arguments, "a tuple").items;
  }

  Tensor tensor(Ref ref) {
    const auto* object = &get<Object>(ref, "a tensor: save model.state_dict() alone");
    if (equal(callee(*object), kParameter)) {
      const auto& parts = arguments(*object);
      check_count(parts.size(), 3, 3, kParameter.name);
      object = &get<Object>(parts[0], "a tensor");
    }
    const auto* rebuild = find_row(kRebuilds, kParameter.module, callee(*object));
    if (rebuild == nullptr) {
      throw Error(Kind::input, "the pickle holds an object of {}.{}, expected a tensor", callee(*object).module,
                  callee(*object).name);
    }
    return build(*rebuild, arguments(*object));
  }

  static void check_count(size_t found, size_t least, size_t most, std::string_view function) {
    if (found < least || found > most) {
      throw Error(Kind::input, "{} arguments of {}, expected {} to {}", found, function, least, most);
    }
  }

  Tensor build(const Rebuild& rebuild, const std::vector<Ref>& arguments) {
    check_count(arguments.size(), rebuild.least, rebuild.most, rebuild.name);
    check_flags(rebuild, arguments);
    Elements elements = storage(arguments[0]);
    if (rebuild.dtype < arguments.size()) {
      elements.dtype = named_type(arguments[rebuild.dtype]);
    }
    if (elements.dtype == DType::undefined) {
      throw Error(Kind::input, "a storage of untyped bytes in {}, which names no element type", rebuild.name);
    }
    const StridedView view{.offset = get<int64_t>(arguments[1], "an offset"),
                           .sizes = whole_numbers(arguments[2]),
                           .strides = whole_numbers(arguments[3])};
    check_inside(view, std::ssize(elements.bytes) / packed_bytes(elements.dtype, 1));
    return is_contiguous(view) && elements.dtype != DType::boolean ? contiguous(view, elements)
                                                                   : copied(view, elements);
  }

  /// Conjugated and negated views of complex tensors are flagged in a dictionary.
  void check_flags(const Rebuild& rebuild, const std::vector<Ref>& arguments) const {
    if (rebuild.flags >= arguments.size() ||
        std::holds_alternative<None>(pickle_.values.at(arguments[rebuild.flags]))) {
      return;
    }
    if (!dict(arguments[rebuild.flags]).items.empty()) {
      throw Error(Kind::unsupported, "a tensor with metadata (a conjugated or negated view): save a copy of it");
    }
  }

  /// A persistent id: ("storage", class, key, device, number of elements).
  Elements storage(Ref ref) const {
    const auto& id = get<Tuple>(get<Persistent>(ref, "a storage").id, "a storage's id").items;
    if (id.size() != 5 || get<std::string_view>(id[0], "'storage'") != "storage") {
      throw Error(Kind::input, "the pickle holds a persistent id of {} parts, expected a storage's of 5", id.size());
    }
    Elements elements{
        .dtype = storage_type(id[1]), .key = get<std::string_view>(id[2], "a storage's key"), .bytes = {}};
    const Bytes bytes = storage_(elements.key);
    const auto count = get<int64_t>(id[4], "a storage's size");
    const int64_t width = elements.dtype == DType::undefined ? 1 : packed_bytes(elements.dtype, 1);
    if (count < 0 || count > std::ssize(bytes) / width) {
      throw Error(Kind::input, "storage '{}' has {} elements of {} bytes, expected no more than its {} bytes hold",
                  elements.key, count, width, bytes.size());
    }
    elements.bytes = bytes.first(static_cast<size_t>(count * width));
    return elements;
  }

  DType storage_type(Ref ref) const {
    const Global& global = get<Global>(ref, "a storage's class");
    const auto* row = find_row(kStorages, "torch", global);
    if (row == nullptr && !equal(global, kUntypedStorage)) {
      throw Error(Kind::input, "'{}.{}' is no storage's class", global.module, global.name);
    }
    return row == nullptr ? DType::undefined : row->dtype;
  }

  DType named_type(Ref ref) const {
    const Global& global = get<Global>(ref, "an element type");
    const auto* row = find_row(kTypes, "torch", global);
    if (row == nullptr) {
      throw Error(Kind::input, "'{}.{}' is no element type", global.module, global.name);
    }
    return row->dtype;
  }

  Shape whole_numbers(Ref ref) const {
    Shape numbers;
    for (const Ref item : get<Tuple>(ref, "a tuple of numbers").items) {
      numbers.push_back(get<int64_t>(item, "a number"));
    }
    return numbers;
  }

  Tensor contiguous(const StridedView& view, const Elements& elements) const {
    const int64_t count = checked_count(view.sizes).value();
    const int64_t width = packed_bytes(elements.dtype, 1);
    const Bytes bytes =
        elements.bytes.subspan(static_cast<size_t>(view.offset * width), static_cast<size_t>(count * width));
    return tensor_of_file(elements.dtype, view.sizes, bytes, file_);
  }

  Tensor copied(const StridedView& view, const Elements& elements) {
    Tensor& copy = copies_[{std::string(elements.key), elements.dtype, view}];
    if (copy.empty()) {
      const int64_t bytes = packed_bytes(elements.dtype, checked_count(view.sizes).value());
      if (bytes > copies_left_) {
        throw Error(Kind::unsupported,
                    "tensors that repeat or overlap need more memory than the file has bytes: save copies of them");
      }
      copies_left_ -= bytes;
      copy = is_contiguous(view) ? contiguous(view, elements) : gather(view, elements.dtype, elements.bytes);
    }
    return copy;
  }

  const Pickle& pickle_;
  const Storage& storage_;
  const std::shared_ptr<const MappedFile>& file_;
  int64_t copies_left_;  // bytes
  std::map<std::tuple<std::string, DType, StridedView>, Tensor> copies_;
};

}  // namespace

bool is_known(const Global& global) {
  const auto known = {kOrderedDict, kUntypedStorage, kParameter};
  return std::ranges::any_of(known, [&](const Global& g) { return equal(g, global); }) ||
         find_row(kStorages, "torch", global) != nullptr || find_row(kTypes, "torch", global) != nullptr ||
         find_row(kRebuilds, kParameter.module, global) != nullptr;
}

std::map<std::string, Tensor, std::less<>> read_state_dict(const Pickle& pickle,
                                                           const std::function<Bytes(std::string_view key)>& storage,
                                                           const std::shared_ptr<const MappedFile>& file) {
  return StateDict(pickle, storage, file).read();
}

}  // namespace terse::pytorch
