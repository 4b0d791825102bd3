#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "formats/named_tensors.h"
#include "formats/pytorch/pickle.h"

namespace terse::pytorch {

/// True for the globals of which state dicts are made.
bool is_known(const Global& global);

/// The tensors of a pickled state dict: a dictionary of name -> tensor. `storage` gives the bytes of a storage, which
/// lie in `file`. Tensors are views of them; booleans, and tensors that are not contiguous (transposed, say), are
/// copied, one copy for equal ones, at most as many bytes in all as the file has. Errors: input, with the tensor's
/// name, if the pickle holds something else or a tensor does not fit its storage; unsupported for complex views and
/// more copies.
std::map<std::string, Tensor, std::less<>> read_state_dict(
    const Pickle& pickle, const std::function<std::span<const std::byte>(std::string_view key)>& storage,
    const std::shared_ptr<const MappedFile>& file);

}  // namespace terse::pytorch
