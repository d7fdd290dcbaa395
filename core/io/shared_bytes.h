#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace facet {

// Bytes that someone else keeps alive: what a reader that copies all it needs is given.
using ByteSpan = std::span<const std::uint8_t>;

// A piece of a file in memory. Whoever holds one keeps the memory alive, so that arrays can point into the
// file instead of copying it.
class SharedBytes {
 public:
  SharedBytes() = default;
  SharedBytes(std::vector<std::uint8_t>&& bytes)
      : SharedBytes(std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes))) {}
  SharedBytes(std::shared_ptr<const void> owner, const std::uint8_t* data, std::size_t size)
      : owner_(std::move(owner)), data_(data), size_(size) {}

  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  operator ByteSpan() const { return {data_, size_}; }
  const std::shared_ptr<const void>& owner() const { return owner_; }
  // The `count` bytes from `offset`, which must lie inside.
  SharedBytes part(std::size_t offset, std::size_t count) const { return {owner_, data_ + offset, count}; }

 private:
  explicit SharedBytes(const std::shared_ptr<const std::vector<std::uint8_t>>& bytes)
      : owner_(bytes), data_(bytes->data()), size_(bytes->size()) {}

  std::shared_ptr<const void> owner_;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace facet
