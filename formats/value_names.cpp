#include "formats/value_names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace terse {
namespace {

/// Names without a dot that exporters give to what they compute or fold, before the number.
constexpr std::array<std::string_view, 47> kInventedStems = {"add",          "addmm",
                                                             "arange",       "cat",
                                                             "clone",        "const",
                                                             "constant",     "conv",
                                                             "copy",         "div",
                                                             "expand",       "full",
                                                             "gather",       "getitem",
                                                             "index",        "initializer",
                                                             "linear",       "lift_fresh",
                                                             "matmul",       "mm",
                                                             "mul",          "neg",
                                                             "new_ones",     "new_zeros",
                                                             "ones",         "permute",
                                                             "pow",          "reshape",
                                                             "rsub",         "scalar_tensor",
                                                             "select",       "slice",
                                                             "split",        "squeeze",
                                                             "sub",          "t",
                                                             "tensor",       "tensor_constant",
                                                             "to",           "to_copy",
                                                             "transpose",    "unsafe_view",
                                                             "unsqueeze",    "val",
                                                             "view",         "zeros",
                                                             "lifted_tensor"};

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// "_to_copy_3" -> "to_copy".
std::string_view stem_of(std::string_view name) {
  while (!name.empty() && (is_digit(name.back()) || name.back() == '_')) {
    name.remove_suffix(1);
  }
  while (!name.empty() && name.front() == '_') {
    name.remove_prefix(1);
  }
  return name;
}

const std::string* find_metadata(const Node& node, std::string_view key) {
  for (const auto& [name, value] : node.metadata) {
    if (name == key) {
      return &value;
    }
  }
  return nullptr;
}

/// The last but one of "['', 'model', 'model.layers.0', 'linear']": the last is the operator's own.
std::string scope_in_list(std::string_view list) {
  std::vector<std::string_view> names;
  for (size_t begin = list.find('\''); begin != std::string_view::npos; begin = list.find('\'', begin)) {
    const size_t end = list.find('\'', begin + 1);
    if (end == std::string_view::npos) {
      break;
    }
    names.push_back(list.substr(begin + 1, end - begin - 1));
    begin = end + 1;
  }
  return names.size() < 2 ? "" : std::string(names[names.size() - 2]);
}

/// "/model/layers.0/mlp/MatMul_1" -> "model.layers.0.mlp".
std::string scope_in_path(std::string_view path) {
  const size_t end = path.rfind('/');
  if (path.empty() || path.front() != '/' || end == 0) {
    return "";
  }
  std::string scope(path.substr(1, end - 1));
  std::replace(scope.begin(), scope.end(), '/', '.');
  return scope;
}

}  // namespace

bool is_made_up(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.starts_with("onnx::")) {
    return true;
  }
  if (name.find('.') != std::string_view::npos) {
    return false;
  }
  std::string stem(stem_of(name));
  std::transform(stem.begin(), stem.end(), stem.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return stem.empty() || std::find(kInventedStems.begin(), kInventedStems.end(), stem) != kInventedStems.end();
}

std::string scope_of(const Node& node) {
  if (const std::string* list = find_metadata(node, "pkg.torch.onnx.name_scopes")) {
    return scope_in_list(*list);
  }
  return scope_in_path(node.name);
}

}  // namespace terse
