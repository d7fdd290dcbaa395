#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/io/npz.h"
#include "core/io/pickle.h"
#include "core/io/zip.h"

// Internal to core/io/pickle.cpp: Python's pickle machine, without Python. Lib/pickletools.py of CPython
// documents every opcode. numpy: ndarray.__reduce__ and dtype.__reduce__. torch: torch/serialization.py
// (legacy layout, zip layout, persistent ids), torch/_utils.py.

namespace facet {

// What a global of the pickle stands for here; everything else is refused.
enum class PickleGlobal : std::uint8_t {
  kReconstructArray,
  kArrayClass,
  kDtype,
  kScalar,
  kFromBuffer,
  kEncode,
  kCsc,
  kCsr,
  kChumpy,
  kChumpySelect,
  kDict,
  kList,
  kTuple,
  kSet,
  kBytearray,
  kObject,
  kReconstructObject,
  kRebuildTensor,
  kRebuildTensorV2,
  kRebuildParameter,
  kLoadFromBytes,
  kStorageClass,
};

enum class PickleNodeType : std::uint8_t {
  kText,         // UTF-8
  kEscapedText,  // protocol 0's raw-unicode-escape, decoded when asked for
  kBytes,        // bytes, bytearray, and Python 2's str
  kBigInteger,   // beyond 64 bits, as it stands in the file
  kList,
  kTuple,
  kSet,
  kDict,  // items: key, value, key, value…
  kGlobal,
  kDtype,        // array->dtype
  kArray,        // array; without it while BUILD has not come
  kObjectArray,  // items; array->shape
  kObject,       // of `global`; state is a dictionary
  kStorage,      // torch; array->dtype, array->shape = {items}, bytes once they are known
  kEntry,        // array of an .npz, `offset` is its index
};

struct PickleNode {
  using Slot = PickleValue::Slot;
  PickleNodeType type;
  PickleGlobal global = PickleGlobal::kObject;
  const std::uint8_t* data = nullptr;  // text, bytes
  std::size_t size = 0;
  std::vector<Slot> items;
  std::unique_ptr<ArrayView> array;
  PickleNode* state = nullptr;  // object: its dictionary; tensor: its storage
  std::int64_t offset = 0;      // tensor: items into the storage; entry: index

  std::string_view view() const { return {reinterpret_cast<const char*>(data), size}; }
};

struct PickleDocument {
  SharedBytes file;
  std::deque<PickleNode> nodes;
  std::vector<std::unique_ptr<const std::vector<std::uint8_t>>> decoded;
  std::unique_ptr<NpzFile> npz;
  PickleValue::Slot root;
};

// Text out of a file, fit for a message of one line.
std::string printable(std::string_view text);

// One code point of protocol 0's text (\uXXXX, \UXXXXXXXX, Latin-1 otherwise); moves `at` past it.
char32_t nextEscaped(const std::uint8_t*& at, const std::uint8_t* end);

// The stack machine. One reader reads one pickle after the other from the same bytes (torch's legacy layout).
class PickleReader {
 public:
  using Slot = PickleValue::Slot;
  using Tag = PickleValue::Tag;

  PickleReader(PickleDocument& document, SharedBytes bytes, std::string name, std::size_t* memory_left,
               int depth)
      : document_(document),
        bytes_(std::move(bytes)),
        name_(std::move(name)),
        memory_left_(memory_left),
        depth_(depth) {}

  // Storages of torch's zip layout are looked up here.
  void setZip(const SharedBytes* zip, const std::vector<ZipEntry>* entries, std::string folder) {
    zip_ = zip;
    zip_entries_ = entries;
    folder_ = std::move(folder);
  }

  // Runs until STOP and returns what lies on the stack.
  Slot run();

  // A torch file of the legacy layout: magic number, version, system, the object, keys, the storages' bytes.
  Slot runLegacyTorch();

  // After run() in the zip layout.
  void placeTensors();

 private:
  using Type = PickleNodeType;

  template <typename... Parts>
  [[noreturn]] void bad(const Parts&... what) const {
    fail(ErrorKind::kModel, name_, ": ", what...);
  }
  [[noreturn]] void malformed() const { bad("is not a valid pickle (at byte ", at_, ")"); }

  // Every slot and byte that the pickle makes this reader allocate is paid for, so that a small file cannot
  // ask for a large memory.
  void pay(std::size_t bytes) {
    if (bytes > *memory_left_) bad("asks for far more memory than the file is large; it is damaged");
    *memory_left_ -= bytes;
  }

  const std::uint8_t* take(std::size_t count) {
    if (count > bytes_.size() - at_) bad("is cut off (a pickle that ends at byte ", bytes_.size(), ")");
    const std::uint8_t* data = bytes_.data() + at_;
    at_ += count;
    return data;
  }
  template <typename T>
  T takeNumber() {
    T value;
    std::memcpy(&value, take(sizeof(T)), sizeof(T));
    return value;
  }
  std::string_view takeLine() {
    const auto* start = bytes_.data() + at_;
    const void* end = std::memchr(start, '\n', bytes_.size() - at_);
    if (!end) bad("is cut off (a pickle that ends at byte ", bytes_.size(), ")");
    const auto length = static_cast<std::size_t>(static_cast<const std::uint8_t*>(end) - start);
    take(length + 1);
    std::string_view line(reinterpret_cast<const char*>(start), length);
    if (line.ends_with('\r')) line.remove_suffix(1);  // text mode of Windows
    return line;
  }

  PickleNode* make(Type type) {
    pay(sizeof(PickleNode));
    PickleNode& node = document_.nodes.emplace_back();
    node.type = type;
    return &node;
  }
  PickleNode* makeData(Type type, const std::uint8_t* data, std::size_t size) {
    PickleNode* node = make(type);
    node->data = data;
    node->size = size;
    return node;
  }
  // Bytes that are not in the file as they are; already paid for.
  PickleNode* makeOwned(Type type, std::vector<std::uint8_t> bytes) {
    document_.decoded.push_back(std::make_unique<const std::vector<std::uint8_t>>(std::move(bytes)));
    return makeData(type, document_.decoded.back()->data(), document_.decoded.back()->size());
  }
  static Slot slotOf(PickleNode* node) {
    Slot slot;
    slot.tag = Tag::kNode;
    slot.node = node;
    return slot;
  }
  static Slot slotOf(std::int64_t value, Tag tag = Tag::kInteger) {
    Slot slot;
    slot.tag = tag;
    slot.integer = value;
    return slot;
  }
  static Slot slotOfReal(double value) {
    Slot slot;
    slot.tag = Tag::kReal;
    slot.real = value;
    return slot;
  }

  void push(Slot slot) {
    if (stack_.size() == stack_.capacity()) pay(std::max<std::size_t>(stack_.size(), 64) * sizeof(Slot));
    stack_.push_back(slot);
  }
  void push(PickleNode* node) { push(slotOf(node)); }
  Slot pop() {
    if (stack_.size() <= bottom()) malformed();
    const Slot slot = stack_.back();
    stack_.pop_back();
    return slot;
  }
  Slot& top() {
    if (stack_.size() <= bottom()) malformed();
    return stack_.back();
  }
  std::size_t bottom() const { return marks_.empty() ? 0 : marks_.back(); }
  // What lies above the last mark, which goes.
  std::vector<Slot> popMark() {
    if (marks_.empty()) malformed();
    const std::size_t mark = marks_.back();
    marks_.pop_back();
    pay((stack_.size() - mark) * sizeof(Slot));
    std::vector<Slot> items(stack_.begin() + static_cast<std::ptrdiff_t>(mark), stack_.end());
    stack_.resize(mark);
    return items;
  }
  PickleNode* node(Slot slot, Type type) const {
    if (slot.tag != Tag::kNode || slot.node->type != type) malformed();
    return slot.node;
  }
  static bool is(Slot slot, Type type) { return slot.tag == Tag::kNode && slot.node->type == type; }
  std::int64_t integer(Slot slot) const {
    if (slot.tag != Tag::kInteger && slot.tag != Tag::kBool) malformed();
    return slot.integer;
  }
  // Short text (names, keys): decoded.
  std::string text(Slot slot) const {
    if (is(slot, Type::kText) || is(slot, Type::kBytes)) return std::string(slot.node->view());
    malformed();
  }
  void append(PickleNode* to, Slot slot) {
    if (to->items.size() == to->items.capacity()) {
      pay(std::max<std::size_t>(to->items.size(), 1) * sizeof(Slot));
      to->items.reserve(std::max<std::size_t>(2 * to->items.size(), 1));
    }
    to->items.push_back(slot);
  }
  void appendAll(PickleNode* to, const std::vector<Slot>& slots) {
    for (const Slot slot : slots) append(to, slot);
  }
  PickleNode* tuple(std::initializer_list<Slot> items) {
    PickleNode* node = make(Type::kTuple);
    for (const Slot slot : items) append(node, slot);
    return node;
  }

  std::vector<std::int64_t> shapeOf(Slot slot) const;
  Slot global(std::string_view module, std::string_view name);
  Slot call(Slot function, Slot arguments);
  Slot construct(PickleNode* global, const std::vector<Slot>& arguments);
  void build(Slot object, Slot state);
  void buildArray(PickleNode* array, const std::vector<Slot>& state);
  void fillArray(PickleNode* array, Slot shape, PickleNode* dtype, bool is_fortran_order, Slot data);
  void buildSelect(PickleNode* object);
  Slot dtype(const std::vector<Slot>& arguments);
  void buildDtype(PickleNode* dtype, const std::vector<Slot>& state);
  Slot encode(const std::vector<Slot>& arguments);
  Slot scalar(const std::vector<Slot>& arguments);
  Slot tensor(const std::vector<Slot>& arguments);
  Slot persistent(Slot id);
  PickleNode* quoted(std::string_view literal);
  Slot longInteger(const std::uint8_t* data, std::size_t size);
  Slot decimal(std::string_view digits);
  PickleNode* member(const PickleNode* object, std::string_view key) const;
  PickleNode* unwrapped(Slot slot) const;

  PickleDocument& document_;
  SharedBytes bytes_;
  std::string name_;
  std::size_t* memory_left_;
  int depth_;
  std::size_t at_ = 0;
  std::vector<Slot> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Slot> memo_;
  std::map<std::string, PickleNode*> storages_;
  std::vector<PickleNode*> tensors_;
  const SharedBytes* zip_ = nullptr;
  const std::vector<ZipEntry>* zip_entries_ = nullptr;
  std::string folder_;
};

}  // namespace facet
