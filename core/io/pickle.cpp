#include "core/io/pickle.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/io/file_kind.h"
#include "core/io/files.h"
#include "core/io/npz.h"
#include "core/io/zip.h"

// The pickle machine: Lib/pickletools.py of CPython documents every opcode. numpy: ndarray.__reduce__ and
// dtype.__reduce__. torch: torch/serialization.py (legacy layout, zip layout, persistent ids),
// torch/_utils.py.

namespace facet {
namespace fs = std::filesystem;

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
  kBigInteger,   // little-endian two's complement, more than 8 bytes
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
  kEntry,        // array of an .npz, `integer` is its index
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

namespace {

using Type = PickleNodeType;
using Global = PickleGlobal;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kSpareMemory = 32 << 20;  // for small files
constexpr int kMostNestedFiles = 4;             // a torch file in a pickle in an .npy

// The layers below know no models; here every file is (part of) one.
[[noreturn]] void asModelError(const Error& error) {
  if (error.kind() == ErrorKind::kModel) throw error;
  fail(ErrorKind::kModel, error.what());
}

// Text out of a file, fit for a message of one line.
std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 80;
  std::string result(text.substr(0, kMost));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text.size() > kMost ? result + "…" : result;
}

const std::map<std::string_view, Global>& knownGlobals() {
  static const std::map<std::string_view, Global> globals = [] {
    std::map<std::string_view, Global> known = {
        {"numpy.ndarray", Global::kArrayClass},
        {"numpy.matrix", Global::kArrayClass},
        {"numpy.matrixlib.defmatrix.matrix", Global::kArrayClass},
        {"numpy.dtype", Global::kDtype},
        {"_codecs.encode", Global::kEncode},
        {"chumpy.Ch", Global::kChumpy},
        {"chumpy.ch.Ch", Global::kChumpy},
        {"chumpy.reordering.Select", Global::kChumpySelect},
        {"collections.OrderedDict", Global::kDict},
        {"torch._utils._rebuild_tensor", Global::kRebuildTensor},
        {"torch._utils._rebuild_tensor_v2", Global::kRebuildTensorV2},
        {"torch._utils._rebuild_parameter", Global::kRebuildParameter},
        {"torch.storage._load_from_bytes", Global::kLoadFromBytes},
        {"copy_reg._reconstructor", Global::kReconstructObject},
        {"copyreg._reconstructor", Global::kReconstructObject},
        {"numpy.core.multiarray._reconstruct", Global::kReconstructArray},
        {"numpy._core.multiarray._reconstruct", Global::kReconstructArray},
        {"numpy.core.multiarray.scalar", Global::kScalar},
        {"numpy._core.multiarray.scalar", Global::kScalar},
        {"numpy.core.numeric._frombuffer", Global::kFromBuffer},
        {"numpy._core.numeric._frombuffer", Global::kFromBuffer},
        {"scipy.sparse.csc.csc_matrix", Global::kCsc},
        {"scipy.sparse._csc.csc_matrix", Global::kCsc},
        {"scipy.sparse._csc.csc_array", Global::kCsc},
        {"scipy.sparse._arrays.csc_array", Global::kCsc},
        {"scipy.sparse.csr.csr_matrix", Global::kCsr},
        {"scipy.sparse._csr.csr_matrix", Global::kCsr},
        {"scipy.sparse._csr.csr_array", Global::kCsr},
        {"scipy.sparse._arrays.csr_array", Global::kCsr},
    };
    for (const auto& [name, global] : std::initializer_list<std::pair<std::string_view, Global>>{
             {"__builtin__.dict", Global::kDict},
             {"builtins.dict", Global::kDict},
             {"__builtin__.list", Global::kList},
             {"builtins.list", Global::kList},
             {"__builtin__.tuple", Global::kTuple},
             {"builtins.tuple", Global::kTuple},
             {"__builtin__.set", Global::kSet},
             {"builtins.set", Global::kSet},
             {"__builtin__.frozenset", Global::kSet},
             {"builtins.frozenset", Global::kSet},
             {"__builtin__.bytearray", Global::kBytearray},
             {"builtins.bytearray", Global::kBytearray},
             {"__builtin__.object", Global::kObject},
             {"builtins.object", Global::kObject}}) {
      known.emplace(name, global);
    }
    return known;
  }();
  return globals;
}

// torch's storage classes and their items. The untyped one counts bytes.
const char* storageDtype(std::string_view global) {
  static const std::map<std::string_view, const char*> dtypes = {
      {"torch.FloatStorage", "<f4"},  {"torch.DoubleStorage", "<f8"},
      {"torch.HalfStorage", "<f2"},   {"torch.LongStorage", "<i8"},
      {"torch.IntStorage", "<i4"},    {"torch.ShortStorage", "<i2"},
      {"torch.CharStorage", "|i1"},   {"torch.ByteStorage", "|u1"},
      {"torch.BoolStorage", "|b1"},   {"torch.storage.UntypedStorage", "|u1"},
      {"torch.UntypedStorage", "|u1"}};
  const auto found = dtypes.find(global);
  return found == dtypes.end() ? nullptr : found->second;
}

int hexDigit(std::uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One code point of protocol 0's text (\uXXXX, \UXXXXXXXX, Latin-1 otherwise); moves `at` past it.
char32_t nextEscaped(const std::uint8_t*& at, const std::uint8_t* end) {
  if (*at == '\\' && end - at >= 6 && (at[1] == 'u' || at[1] == 'U')) {
    const std::ptrdiff_t digits = at[1] == 'u' ? 4 : 8;
    char32_t value = 0;
    bool is_escape = end - at >= 2 + digits;
    for (std::ptrdiff_t i = 0; is_escape && i < digits; ++i) {
      const int digit = hexDigit(at[2 + i]);
      is_escape = digit >= 0;
      value = value << 4 | static_cast<char32_t>(digit & 0xF);
    }
    if (is_escape && value < 0x110000) {
      at += 2 + digits;
      return value;
    }
  }
  return *at++;
}

// One code point of UTF-8; a malformed byte stands for itself.
char32_t nextUtf8(const std::uint8_t*& at, const std::uint8_t* end) {
  const std::uint8_t first = *at++;
  const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
  if (more == 0 || end - at < more) return first;
  auto value = static_cast<char32_t>(first & (0x3F >> more));
  for (int i = 0; i < more; ++i) value = value << 6 | (*at++ & 0x3F);
  return value;
}

}  // namespace

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

  std::size_t position() const { return at_; }

  // Runs until STOP and returns what lies on the stack.
  Slot run();

  // A torch file of the legacy layout: magic number, version, system, the object, keys, the storages' bytes.
  Slot runLegacyTorch();

  // After run() in the zip layout.
  void placeTensors();

 private:
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
  PickleNode* makeOwned(Type type, Bytes bytes) {
    document_.decoded.push_back(std::make_unique<const Bytes>(std::move(bytes)));
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
  std::map<std::string, std::int64_t> storage_roots_;
  std::vector<PickleNode*> tensors_;
  const SharedBytes* zip_ = nullptr;
  const std::vector<ZipEntry>* zip_entries_ = nullptr;
  std::string folder_;
};

PickleReader::Slot PickleReader::run() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  const auto put = [this](std::uint64_t key) {
    pay(8 * sizeof(Slot));  // about what a hash table keeps for an entry
    memo_[key] = top();
  };
  const auto get = [this](std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) malformed();
    push(found->second);
  };
  const auto lineNumber = [this] {
    const std::string_view line = takeLine();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc{} || end != line.data() + line.size()) malformed();
    return value;
  };
  const auto data = [this](Type type, std::uint64_t size) {
    if (size > bytes_.size()) bad("is cut off (a pickle that ends at byte ", bytes_.size(), ")");
    const std::uint8_t* start = take(size);
    push(makeData(type, start, size));
  };

  while (true) {
    const char opcode = static_cast<char>(*take(1));
    switch (opcode) {
      case '\x80':  // PROTO
        if (const auto version = takeNumber<std::uint8_t>(); version > 5) {
          bad("is a pickle of protocol ", static_cast<int>(version), ", protocols 0 to 5 are known");
        }
        break;
      case '\x95': {  // FRAME
        const auto size = takeNumber<std::uint64_t>();
        if (size > bytes_.size() - at_) bad("is cut off (a pickle that ends at byte ", bytes_.size(), ")");
        break;
      }
      case '.':  // STOP
        return pop();

      case '(':  // MARK
        pay(sizeof(std::size_t) * 2);
        marks_.push_back(stack_.size());
        break;
      case '0':  // POP; pops a mark where nothing lies above it
        if (!marks_.empty() && stack_.size() == marks_.back()) {
          marks_.pop_back();
        } else {
          pop();
        }
        break;
      case '1':
        popMark();
        break;  // POP_MARK
      case '2':
        push(Slot(top()));
        break;  // DUP

      case 'N':
        push(Slot{});
        break;  // NONE
      case '\x88':
        push(slotOf(1, Tag::kBool));
        break;  // NEWTRUE
      case '\x89':
        push(slotOf(0, Tag::kBool));
        break;  // NEWFALSE
      case 'J':
        push(slotOf(takeNumber<std::int32_t>()));
        break;  // BININT
      case 'K':
        push(slotOf(takeNumber<std::uint8_t>()));
        break;  // BININT1
      case 'M':
        push(slotOf(takeNumber<std::uint16_t>()));
        break;     // BININT2
      case 'I': {  // INT; 00 and 01 are the booleans
        const std::string_view line = takeLine();
        if (line == "00" || line == "01") {
          push(slotOf(line == "01", Tag::kBool));
        } else {
          push(decimal(line));
        }
        break;
      }
      case 'L': {  // LONG
        std::string_view line = takeLine();
        if (line.ends_with('L')) line.remove_suffix(1);
        push(decimal(line));
        break;
      }
      case '\x8a': {  // LONG1
        const auto size = takeNumber<std::uint8_t>();
        push(longInteger(take(size), size));
        break;
      }
      case '\x8b': {  // LONG4
        const auto size = takeNumber<std::int32_t>();
        if (size < 0) malformed();
        const auto count = static_cast<std::size_t>(size);
        push(longInteger(take(count), count));
        break;
      }
      case 'G': {  // BINFLOAT, big-endian
        std::uint8_t swapped[8];
        const std::uint8_t* big_endian = take(8);
        std::reverse_copy(big_endian, big_endian + 8, swapped);
        double value;
        std::memcpy(&value, swapped, 8);
        push(slotOfReal(value));
        break;
      }
      case 'F': {  // FLOAT
        const std::string_view line = takeLine();
        double value = 0;
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
        if (end != line.data() + line.size() || line.empty()) malformed();
        push(slotOfReal(value));
        break;
      }

      case 'S':
        push(quoted(takeLine()));
        break;  // STRING
      case 'U':
        data(Type::kBytes, takeNumber<std::uint8_t>());
        break;     // SHORT_BINSTRING
      case 'T': {  // BINSTRING
        const auto size = takeNumber<std::int32_t>();
        if (size < 0) malformed();
        data(Type::kBytes, static_cast<std::uint64_t>(size));
        break;
      }
      case 'C':
        data(Type::kBytes, takeNumber<std::uint8_t>());
        break;  // SHORT_BINBYTES
      case 'B':
        data(Type::kBytes, takeNumber<std::uint32_t>());
        break;  // BINBYTES
      case '\x8e':
        data(Type::kBytes, takeNumber<std::uint64_t>());
        break;  // BINBYTES8
      case '\x96':
        data(Type::kBytes, takeNumber<std::uint64_t>());
        break;  // BYTEARRAY8
      case 'X':
        data(Type::kText, takeNumber<std::uint32_t>());
        break;  // BINUNICODE
      case '\x8c':
        data(Type::kText, takeNumber<std::uint8_t>());
        break;  // SHORT_BINUNICODE
      case '\x8d':
        data(Type::kText, takeNumber<std::uint64_t>());
        break;     // BINUNICODE8
      case 'V': {  // UNICODE
        const std::string_view line = takeLine();
        const auto* start = reinterpret_cast<const std::uint8_t*>(line.data());
        constexpr std::size_t kShort = 256;  // names and keys are decoded at once
        if (line.size() > kShort) {
          push(makeData(Type::kEscapedText, start, line.size()));
          break;
        }
        std::string decoded;
        for (const auto *at = start, *end = start + line.size(); at < end;) {
          appendUtf8(nextEscaped(at, end), decoded);
        }
        pay(decoded.size() + sizeof(Bytes));
        push(makeOwned(Type::kText, Bytes(decoded.begin(), decoded.end())));
        break;
      }

      case ']':
        push(make(Type::kList));
        break;  // EMPTY_LIST
      case ')':
        push(make(Type::kTuple));
        break;  // EMPTY_TUPLE
      case '}':
        push(make(Type::kDict));
        break;  // EMPTY_DICT
      case '\x8f':
        push(make(Type::kSet));
        break;     // EMPTY_SET
      case 'a': {  // APPEND
        const Slot item = pop();
        append(node(top(), Type::kList), item);
        break;
      }
      case 'e': {  // APPENDS
        const std::vector<Slot> items = popMark();
        appendAll(node(top(), Type::kList), items);
        break;
      }
      case '\x90': {  // ADDITEMS
        const std::vector<Slot> items = popMark();
        appendAll(node(top(), Type::kSet), items);
        break;
      }
      case 's': {  // SETITEM
        const Slot value = pop(), key = pop();
        PickleNode* dictionary = node(top(), Type::kDict);
        append(dictionary, key);
        append(dictionary, value);
        break;
      }
      case 'u': {  // SETITEMS
        const std::vector<Slot> items = popMark();
        if (items.size() % 2 != 0) malformed();
        appendAll(node(top(), Type::kDict), items);
        break;
      }
      case 'l':
      case 't':
      case 'd':
      case '\x91': {  // LIST, TUPLE, DICT, FROZENSET
        const std::vector<Slot> items = popMark();
        if (opcode == 'd' && items.size() % 2 != 0) malformed();
        PickleNode* result = make(opcode == 'l'   ? Type::kList
                                  : opcode == 't' ? Type::kTuple
                                  : opcode == 'd' ? Type::kDict
                                                  : Type::kSet);
        appendAll(result, items);
        push(result);
        break;
      }
      case '\x85': {  // TUPLE1
        const Slot a = pop();
        push(tuple({a}));
        break;
      }
      case '\x86': {  // TUPLE2
        const Slot b = pop(), a = pop();
        push(tuple({a, b}));
        break;
      }
      case '\x87': {  // TUPLE3
        const Slot c = pop(), b = pop(), a = pop();
        push(tuple({a, b, c}));
        break;
      }

      case 'p':
        put(lineNumber());
        break;  // PUT
      case 'q':
        put(takeNumber<std::uint8_t>());
        break;  // BINPUT
      case 'r':
        put(takeNumber<std::uint32_t>());
        break;  // LONG_BINPUT
      case '\x94':
        put(memo_.size());
        break;  // MEMOIZE
      case 'g':
        get(lineNumber());
        break;  // GET
      case 'h':
        get(takeNumber<std::uint8_t>());
        break;  // BINGET
      case 'j':
        get(takeNumber<std::uint32_t>());
        break;  // LONG_BINGET

      case 'c': {  // GLOBAL
        const std::string_view module = takeLine(), name = takeLine();
        push(global(module, name));
        break;
      }
      case '\x93': {  // STACK_GLOBAL
        const std::string name = text(pop()), module = text(pop());
        push(global(module, name));
        break;
      }
      case 'R':       // REDUCE
      case '\x81': {  // NEWOBJ
        const Slot arguments = pop(), function = pop();
        push(call(function, arguments));
        break;
      }
      case '\x92': {  // NEWOBJ_EX
        const Slot keywords = pop(), arguments = pop(), function = pop();
        if (!node(keywords, Type::kDict)->items.empty()) malformed();
        push(call(function, arguments));
        break;
      }
      case 'i': {  // INST: class named here, arguments above the mark
        const std::string_view module = takeLine(), name = takeLine();
        const Slot function = global(module, name);
        const std::vector<Slot> arguments = popMark();
        push(construct(node(function, Type::kGlobal), arguments));
        break;
      }
      case 'o': {  // OBJ: class and arguments above the mark
        std::vector<Slot> arguments = popMark();
        if (arguments.empty()) malformed();
        const Slot function = arguments.front();
        arguments.erase(arguments.begin());
        push(construct(node(function, Type::kGlobal), arguments));
        break;
      }
      case 'b': {  // BUILD
        const Slot state = pop();
        build(top(), state);
        break;
      }
      case 'P': {  // PERSID
        const std::string_view id = takeLine();
        push(persistent(
            slotOf(makeData(Type::kText, reinterpret_cast<const std::uint8_t*>(id.data()), id.size()))));
        break;
      }
      case 'Q':
        push(persistent(pop()));
        break;  // BINPERSID
      case '\x82':
      case '\x83':
      case '\x84':
        bad("the pickle uses extension codes, which facet does not load");
      case '\x97':
      case '\x98':
        bad("the pickle keeps its data outside of the file (out-of-band buffers)");
      default:
        malformed();
    }
  }
}

PickleReader::Slot PickleReader::longInteger(const std::uint8_t* data, std::size_t size) {
  if (size > 8) return slotOf(makeData(Type::kBigInteger, data, size));
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{data[i]} << 8 * i;
  if (size > 0 && size < 8 && (data[size - 1] & 0x80)) value |= ~std::uint64_t{0} << 8 * size;
  return slotOf(static_cast<std::int64_t>(value));
}

PickleReader::Slot PickleReader::decimal(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) {
    return slotOf(
        makeData(Type::kBigInteger, reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size()));
  }
  if (error != std::errc{} || end != digits.data() + digits.size()) malformed();
  return slotOf(value);
}

// Python 2's repr of a string: quotes and backslash escapes.
PickleNode* PickleReader::quoted(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != literal.back() ||
      (literal.front() != '\'' && literal.front() != '"')) {
    malformed();
  }
  literal = literal.substr(1, literal.size() - 2);
  const auto* data = reinterpret_cast<const std::uint8_t*>(literal.data());
  if (literal.find('\\') == std::string_view::npos) return makeData(Type::kBytes, data, literal.size());
  Bytes decoded;
  pay(literal.size() + sizeof(Bytes));
  decoded.reserve(literal.size());
  for (std::size_t i = 0; i < literal.size(); ++i) {
    if (data[i] != '\\' || i + 1 == literal.size()) {
      decoded.push_back(data[i]);
      continue;
    }
    const char c = literal[++i];
    switch (c) {
      case 'n':
        decoded.push_back('\n');
        break;
      case 'r':
        decoded.push_back('\r');
        break;
      case 't':
        decoded.push_back('\t');
        break;
      case 'a':
        decoded.push_back('\a');
        break;
      case 'b':
        decoded.push_back('\b');
        break;
      case 'f':
        decoded.push_back('\f');
        break;
      case 'v':
        decoded.push_back('\v');
        break;
      case 'x': {
        if (literal.size() - i < 3 || hexDigit(data[i + 1]) < 0 || hexDigit(data[i + 2]) < 0) malformed();
        decoded.push_back(static_cast<std::uint8_t>(hexDigit(data[i + 1]) << 4 | hexDigit(data[i + 2])));
        i += 2;
        break;
      }
      default:
        if (c >= '0' && c <= '7') {  // up to three octal digits
          unsigned value = 0;
          std::size_t digits = 0;
          for (; digits < 3 && i < literal.size() && data[i] >= '0' && data[i] <= '7'; ++digits, ++i) {
            value = value << 3 | static_cast<unsigned>(data[i] - '0');
          }
          --i;
          decoded.push_back(static_cast<std::uint8_t>(value));
        } else {
          if (c != '\\' && c != '\'' && c != '"') decoded.push_back('\\');
          decoded.push_back(static_cast<std::uint8_t>(c));
        }
    }
  }
  return makeOwned(Type::kBytes, std::move(decoded));
}

PickleReader::Slot PickleReader::global(std::string_view module, std::string_view name) {
  const std::string full = std::string(module) + "." + std::string(name);
  PickleNode* result = make(Type::kGlobal);
  if (const char* dtype = storageDtype(full)) {
    result->global = Global::kStorageClass;
    pay(sizeof(ArrayView));
    result->array = std::make_unique<ArrayView>();
    result->array->dtype = dtype;
    return slotOf(result);
  }
  const auto found = knownGlobals().find(full);
  if (found == knownGlobals().end()) {
    bad("the pickle asks for ", printable(full),
        ", which facet does not load (a pickle cannot run code here); give the original file, or save plain "
        "arrays with numpy.savez");
  }
  result->global = found->second;
  const std::string_view known = found->first;  // lives as long as the program
  result->data = reinterpret_cast<const std::uint8_t*>(known.data());
  result->size = known.size();
  return slotOf(result);
}

PickleReader::Slot PickleReader::call(Slot function, Slot arguments) {
  return construct(node(function, Type::kGlobal), node(arguments, Type::kTuple)->items);
}

PickleReader::Slot PickleReader::construct(PickleNode* global, const std::vector<Slot>& arguments) {
  const auto listLike = [&](Type type) {
    PickleNode* result = make(type);
    if (arguments.size() > 1) malformed();
    if (arguments.size() == 1) {
      const Slot from = arguments[0];
      if (!is(from, Type::kList) && !is(from, Type::kTuple) && !is(from, Type::kSet)) malformed();
      appendAll(result, from.node->items);
    }
    return slotOf(result);
  };
  switch (global->global) {
    case Global::kReconstructArray: {
      if (arguments.size() != 3 || node(arguments[0], Type::kGlobal)->global != Global::kArrayClass)
        malformed();
      return slotOf(make(Type::kArray));
    }
    case Global::kDtype:
      return dtype(arguments);
    case Global::kScalar:
      return scalar(arguments);
    case Global::kFromBuffer: {
      if (arguments.size() < 3) malformed();
      const bool is_fortran_order = arguments.size() > 3 && text(arguments[3]) == "F";
      PickleNode* array = make(Type::kArray);
      fillArray(array, arguments[2], node(arguments[1], Type::kDtype), is_fortran_order, arguments[0]);
      return slotOf(array);
    }
    case Global::kEncode:
      return encode(arguments);
    case Global::kList:
      return listLike(Type::kList);
    case Global::kTuple:
      return listLike(Type::kTuple);
    case Global::kSet:
      return listLike(Type::kSet);
    case Global::kDict: {
      PickleNode* result = make(Type::kDict);
      if (arguments.size() > 1) malformed();
      if (arguments.size() == 1 && is(arguments[0], Type::kDict)) {
        appendAll(result, arguments[0].node->items);
      } else if (arguments.size() == 1) {  // Python 2: a list of [key, value]
        if (!is(arguments[0], Type::kList)) malformed();
        for (const Slot pair : arguments[0].node->items) {
          if ((!is(pair, Type::kList) && !is(pair, Type::kTuple)) || pair.node->items.size() != 2)
            malformed();
          append(result, pair.node->items[0]);
          append(result, pair.node->items[1]);
        }
      }
      return slotOf(result);
    }
    case Global::kBytearray:
      if (arguments.empty()) return slotOf(make(Type::kBytes));
      if (is(arguments[0], Type::kBytes)) return arguments[0];
      return encode(arguments);  // Python 2 and protocol 2: (text, "latin-1")
    case Global::kCsc:
    case Global::kCsr:
    case Global::kChumpy:
    case Global::kChumpySelect: {
      PickleNode* object = make(Type::kObject);
      object->global = global->global;
      return slotOf(object);
    }
    case Global::kReconstructObject:  // (class, base, state of base)
      if (arguments.size() != 3) malformed();
      return construct(node(arguments[0], Type::kGlobal), {});
    case Global::kRebuildTensor:
    case Global::kRebuildTensorV2:
      return tensor(arguments);
    case Global::kRebuildParameter:
      if (arguments.empty() || !is(arguments[0], Type::kArray)) malformed();
      return arguments[0];
    case Global::kLoadFromBytes: {
      if (arguments.size() != 1) malformed();
      if (depth_ >= kMostNestedFiles) bad("nests torch files too deeply");
      const PickleNode* data = node(arguments[0], Type::kBytes);
      // The bytes are kept alive by the document.
      PickleReader reader(document_, SharedBytes(nullptr, data->data, data->size), name_, memory_left_,
                          depth_ + 1);
      return reader.runLegacyTorch();
    }
    case Global::kArrayClass:
    case Global::kObject:
    case Global::kStorageClass:
      break;
  }
  bad("the pickle calls ", printable(global->view()), " in a way that facet does not know");
}

std::vector<std::int64_t> PickleReader::shapeOf(Slot slot) const {
  std::vector<std::int64_t> shape;
  if (slot.tag == Tag::kInteger) return {slot.integer};
  if (!is(slot, Type::kTuple) && !is(slot, Type::kList)) malformed();
  if (slot.node->items.size() > 32) malformed();
  for (const Slot length : slot.node->items) shape.push_back(integer(length));
  return shape;
}

// numpy.dtype("f8", align, copy); the byte order follows in BUILD.
PickleReader::Slot PickleReader::dtype(const std::vector<Slot>& arguments) {
  if (arguments.empty()) malformed();
  std::string descriptor = text(arguments[0]);
  if (descriptor.empty() || descriptor.size() > 20) malformed();
  if (std::isalpha(static_cast<unsigned char>(descriptor[0]))) {
    // One byte and Python objects have no order; all else is the machine's until BUILD says otherwise.
    const bool has_order = descriptor[0] != 'O' && descriptor[0] != 'S' && !descriptor.ends_with('1');
    descriptor.insert(0, has_order ? "<" : "|");
  }
  PickleNode* result = make(Type::kDtype);
  pay(sizeof(ArrayView));
  result->array = std::make_unique<ArrayView>();
  result->array->dtype = descriptor;
  return slotOf(result);
}

// (version, byte order, subarray, names, fields, item size, alignment, flags)
void PickleReader::buildDtype(PickleNode* dtype, const std::vector<Slot>& state) {
  if (state.size() < 4) malformed();
  const std::string order = text(state[1]);
  if (order == "<" || order == ">") dtype->array->dtype[0] = order[0];
  if (state[2].tag != Tag::kNone || state[3].tag != Tag::kNone) {
    dtype->array->dtype = "|V";  // structured; nothing here reads it, arrays of it are left alone
  }
}

void PickleReader::build(Slot object, Slot state) {
  if (object.tag != Tag::kNode) malformed();
  PickleNode* to = object.node;
  if (to->type == Type::kArray) return buildArray(to, node(state, Type::kTuple)->items);
  if (to->type == Type::kDtype) return buildDtype(to, node(state, Type::kTuple)->items);
  if (to->type == Type::kDict || to->type == Type::kSet) return;  // attributes of an OrderedDict: none matter
  if (to->type != Type::kObject) malformed();
  // A dictionary, or (dictionary, slots).
  if (is(state, Type::kTuple) && !state.node->items.empty()) state = state.node->items[0];
  to->state = node(state, Type::kDict);
  if (to->global == Global::kChumpySelect) buildSelect(to);
}

// (version, shape, dtype, is Fortran order, data), without the version in ancient files.
void PickleReader::buildArray(PickleNode* array, const std::vector<Slot>& state) {
  const std::size_t first = state.size() == 5 ? 1 : 0;
  if (state.size() != first + 4) malformed();
  fillArray(array, state[first], node(state[first + 1], Type::kDtype), integer(state[first + 2]) != 0,
            state[first + 3]);
}

void PickleReader::fillArray(PickleNode* array, Slot shape, PickleNode* dtype, bool is_fortran_order,
                             Slot data) {
  if (array->array) malformed();
  pay(sizeof(ArrayView));
  auto view = std::make_unique<ArrayView>();
  view->dtype = dtype->array->dtype;
  view->shape = shapeOf(shape);
  if (isObjects(view->dtype)) {
    const PickleNode* list = node(data, Type::kList);
    std::size_t count = 1;
    for (const std::int64_t length : view->shape) {
      if (length < 0 || (length > 0 && count > list->items.size() / static_cast<std::size_t>(length)))
        malformed();
      count *= static_cast<std::size_t>(length);
    }
    if (count != list->items.size()) malformed();
    appendAll(array, list->items);
    array->type = Type::kObjectArray;
    array->array = std::move(view);
    return;
  }
  const PickleNode* raw = nullptr;
  if (is(data, Type::kBytes) || is(data, Type::kText)) raw = data.node;
  if (!raw) malformed();
  view->bytes = SharedBytes(nullptr, raw->data, raw->size);  // kept alive by the document
  const std::string problem = view->layOut(is_fortran_order);
  if (!problem.empty()) bad("an array ", problem);
  array->array = std::move(view);
}

// numpy's scalars: scalar(dtype, bytes).
PickleReader::Slot PickleReader::scalar(const std::vector<Slot>& arguments) {
  if (arguments.size() != 2) malformed();
  PickleNode* array = make(Type::kArray);
  const PickleNode* dtype = node(arguments[0], Type::kDtype);
  if (isObjects(dtype->array->dtype)) malformed();
  pay(sizeof(ArrayView));
  auto view = std::make_unique<ArrayView>();
  view->dtype = dtype->array->dtype;
  const PickleNode* raw = node(arguments[1], Type::kBytes);
  view->bytes = SharedBytes(nullptr, raw->data, raw->size);
  const std::string problem = view->layOut(false);
  if (!problem.empty()) bad("a number ", problem);
  array->array = std::move(view);
  return slotOf(array);
}

// Python 3 writes bytes into pickles of protocol 0 to 2 as text, one letter for each byte.
PickleReader::Slot PickleReader::encode(const std::vector<Slot>& arguments) {
  if (arguments.size() != 2) malformed();
  const std::string codec = text(arguments[1]);
  if (codec != "latin1" && codec != "latin-1") {
    bad("the pickle asks for the text encoding ", printable(codec), ", which facet does not load");
  }
  if (!is(arguments[0], Type::kText) && !is(arguments[0], Type::kEscapedText)) malformed();
  const PickleNode* from = arguments[0].node;
  const bool is_escaped = from->type == Type::kEscapedText;
  // Counted first, so that the memory is exact.
  std::size_t count = 0;
  const std::uint8_t *begin = from->data, *end = begin + from->size;
  for (const std::uint8_t* at = begin; at < end; ++count)
    is_escaped ? nextEscaped(at, end) : nextUtf8(at, end);
  pay(count + sizeof(Bytes));
  Bytes bytes(count);
  std::size_t i = 0;
  for (const std::uint8_t* at = begin; at < end; ++i) {
    const char32_t letter = is_escaped ? nextEscaped(at, end) : nextUtf8(at, end);
    if (letter > 0xFF) malformed();
    bytes[i] = static_cast<std::uint8_t>(letter);
  }
  return slotOf(makeOwned(Type::kBytes, std::move(bytes)));
}

PickleNode* PickleReader::member(const PickleNode* object, std::string_view key) const {
  if (!object->state) return nullptr;
  const std::vector<Slot>& items = object->state->items;
  for (std::size_t i = items.size(); i >= 2; i -= 2) {
    const Slot name = items[i - 2], value = items[i - 1];
    if ((is(name, Type::kText) || is(name, Type::kBytes)) && name.node->view() == key) {
      return value.tag == Tag::kNode ? value.node : nullptr;
    }
  }
  return nullptr;
}

// The array behind chumpy's wrappers, or nothing.
PickleNode* PickleReader::unwrapped(Slot slot) const {
  if (slot.tag != Tag::kNode) return nullptr;
  PickleNode* inner = slot.node;
  for (int i = 0; inner && inner->type == Type::kObject && i < 8; ++i) {
    inner = inner->global == Global::kChumpy ? member(inner, "x") : nullptr;
  }
  return inner && inner->type == Type::kArray && inner->array ? inner : nullptr;
}

// chumpy.reordering.Select: a.ravel()[idxs], reshaped to preferred_shape where it has one. It becomes the
// array.
void PickleReader::buildSelect(PickleNode* object) {
  PickleNode* source_node = member(object, "a");
  const PickleNode* source = source_node ? unwrapped(slotOf(source_node)) : nullptr;
  const PickleNode* index_node = member(object, "idxs");
  const PickleNode* indices =
      index_node && index_node->type == Type::kArray && index_node->array ? index_node : nullptr;
  if (!source || !indices || !source->array->isNumeric() || !indices->array->isNumeric()) {
    bad("holds a chumpy Select of something that is not an array");
  }
  const std::size_t item = itemSize(source->array->dtype);
  const auto count = static_cast<std::size_t>(indices->array->count());
  const std::int64_t source_count = source->array->count();
  pay(count * (item + sizeof(double)) + static_cast<std::size_t>(source_count) * item);
  const Bytes from = source->array->contiguousBytes();
  Bytes bytes(count * item);
  const std::vector<double> index = indices->array->asDouble();
  for (std::size_t i = 0; i < count; ++i) {
    const double at = index[i] < 0 ? index[i] + static_cast<double>(source_count) : index[i];
    if (!(at >= 0 && at < static_cast<double>(source_count))) bad("holds a chumpy Select beyond its array");
    std::memcpy(bytes.data() + i * item, from.data() + static_cast<std::size_t>(at) * item, item);
  }
  auto view = std::make_unique<ArrayView>();
  view->dtype = source->array->dtype;
  if (view->dtype[0] == '>') view->dtype[0] = '<';
  view->shape = indices->array->shape;
  if (PickleNode* shape = member(object, "preferred_shape")) view->shape = shapeOf(slotOf(shape));
  const PickleNode* owned = makeOwned(Type::kBytes, std::move(bytes));
  view->bytes = SharedBytes(nullptr, owned->data, owned->size);
  if (!view->layOut(false).empty() || view->count() != static_cast<std::int64_t>(count)) malformed();
  object->type = Type::kArray;
  object->array = std::move(view);
}

// _rebuild_tensor_v2(storage, offset, size, stride, …)
PickleReader::Slot PickleReader::tensor(const std::vector<Slot>& arguments) {
  if (arguments.size() < 4) malformed();
  PickleNode* storage = node(arguments[0], Type::kStorage);
  const std::int64_t stored = storage->array->shape[0];
  PickleNode* result = make(Type::kArray);
  pay(sizeof(ArrayView));
  result->array = std::make_unique<ArrayView>();
  ArrayView& view = *result->array;
  view.dtype = storage->array->dtype;
  view.shape = shapeOf(arguments[2]);
  view.strides = shapeOf(arguments[3]);
  result->offset = integer(arguments[1]);
  result->state = storage;
  if (view.strides.size() != view.shape.size() || result->offset < 0 || result->offset > stored) malformed();
  // Items, and the reach of the strides, must lie in the storage; a tensor that repeats its items is refused.
  const auto tooLarge = [this] { bad("holds a torch tensor that is larger than its data"); };
  std::int64_t count = 1, reach = result->offset;
  for (const std::int64_t length : view.shape) {
    if (length < 0 || (length > 0 && count > stored / length)) tooLarge();
    count *= length;
  }
  for (std::size_t d = 0; count > 0 && d < view.shape.size(); ++d) {
    const std::int64_t steps = view.shape[d] - 1, stride = view.strides[d];
    if (stride < 0 || (stride > 0 && steps > (stored - reach) / stride)) tooLarge();
    reach += steps * stride;
  }
  if (count > 0 && reach >= stored) tooLarge();
  tensors_.push_back(result);
  if (!storage->array->bytes.data() && stored > 0) return slotOf(result);  // the bytes come later
  const std::size_t item = itemSize(view.dtype);
  const std::size_t skip = static_cast<std::size_t>(result->offset) * item;
  view.bytes = storage->array->bytes.part(skip, storage->array->bytes.size() - skip);
  return slotOf(result);
}

// ("storage", class, key, device, number of items[, view])
PickleReader::Slot PickleReader::persistent(Slot id) {
  if (!is(id, Type::kTuple) || id.node->items.size() < 5 || text(id.node->items[0]) != "storage") {
    bad("the pickle refers to an object outside of the file");
  }
  const std::vector<Slot>& items = id.node->items;
  const PickleNode* storage_class = node(items[1], Type::kGlobal);
  if (storage_class->global != Global::kStorageClass) malformed();
  const std::string key = text(items[2]);
  if (items.size() > 5 && items[5].tag != Tag::kNone)
    bad("holds a view of a torch storage; save the tensor again");
  const auto found = storages_.find(key);
  if (found != storages_.end()) return slotOf(found->second);

  PickleNode* storage = make(Type::kStorage);
  pay(sizeof(ArrayView) + 128);  // and the entry of the map
  storage->array = std::make_unique<ArrayView>();
  storage->array->dtype = storage_class->array->dtype;
  storage->array->shape = {integer(items[4])};
  storage->array->strides = {1};
  const auto item = static_cast<std::int64_t>(itemSize(storage->array->dtype));
  const auto whole = static_cast<std::int64_t>(zip_ ? zip_->size() : bytes_.size());
  // A deflated entry may be larger than the file, but torch stores.
  if (storage->array->shape[0] < 0 || storage->array->shape[0] > whole / item) {
    bad("holds a torch tensor that is larger than the file");
  }
  storages_[key] = storage;
  if (zip_) {
    const std::string wanted = folder_ + "data/" + key;
    const auto entry = std::find_if(zip_entries_->begin(), zip_entries_->end(),
                                    [&](const ZipEntry& e) { return e.name == wanted; });
    if (entry == zip_entries_->end()) bad("has no ", printable(wanted), " in its archive");
    const auto size = static_cast<std::size_t>(storage->array->shape[0] * item);
    if (entry->size < size) bad(printable(wanted), " is too small for its tensor");
    if (entry->method != 0) pay(entry->size);
    const SharedBytes content = zipContent(*zip_, *entry, name_ + " (" + wanted + ")");
    storage->array->bytes = content.part(0, size);
  }
  return slotOf(storage);
}

PickleReader::Slot PickleReader::runLegacyTorch() {
  static constexpr std::uint8_t kMagic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  const Slot magic = run();
  if (!is(magic, Type::kBigInteger) || magic.node->size != sizeof(kMagic) ||
      std::memcmp(magic.node->data, kMagic, sizeof(kMagic)) != 0) {
    bad("holds a torch file of an unknown layout");
  }
  if (integer(run()) != 1001) bad("holds a torch file of an unknown version");
  const Slot system = run();  // a dictionary about the machine that wrote it
  const Slot object = run();
  const Slot keys = run();
  if (!is(system, Type::kDict) || !is(keys, Type::kList)) malformed();
  for (std::size_t i = 0; i + 1 < system.node->items.size(); i += 2) {
    const Slot key = system.node->items[i], value = system.node->items[i + 1];
    if ((is(key, Type::kText) || is(key, Type::kBytes)) && key.node->view() == "little_endian" &&
        value.tag == Tag::kBool && value.integer == 0) {
      bad("holds a torch file of a big-endian machine; save it again on a usual one");
    }
  }
  for (const Slot key : keys.node->items) {
    const auto found = storages_.find(text(key));
    if (found == storages_.end()) malformed();
    ArrayView& storage = *found->second->array;
    if (takeNumber<std::int64_t>() != storage.shape[0]) malformed();
    const std::size_t size = static_cast<std::size_t>(storage.shape[0]) * itemSize(storage.dtype);
    storage.bytes = SharedBytes(nullptr, take(size), size);
  }
  placeTensors();
  return object;
}

void PickleReader::placeTensors() {
  for (PickleNode* tensor : tensors_) {
    ArrayView& view = *tensor->array;
    const SharedBytes& storage = tensor->state->array->bytes;
    const std::size_t skip = static_cast<std::size_t>(tensor->offset) * itemSize(view.dtype);
    if (skip > storage.size() || (!storage.data() && view.count() > 0))
      bad("holds a torch tensor without its data");
    view.bytes = storage.part(skip, storage.size() - skip);
  }
  tensors_.clear();
}

// --- The value tree ---

namespace {

bool isText(const PickleNode* node) { return node->type == Type::kText || node->type == Type::kBytes; }

// Sees through what only wraps: chumpy.Ch, an array without axes that holds one object.
PickleValue::Kind kindOf(const PickleNode* node) {
  switch (node->type) {
    case Type::kText:
    case Type::kEscapedText:
      return PickleValue::Kind::kText;
    case Type::kBytes:
      return PickleValue::Kind::kBytes;
    case Type::kList:
    case Type::kTuple:
    case Type::kSet:
    case Type::kObjectArray:
      return PickleValue::Kind::kList;
    case Type::kDict:
      return PickleValue::Kind::kDict;
    case Type::kArray:
    case Type::kStorage: {  // an array that BUILD never filled, or a storage whose bytes the file does not
                            // have
      const bool is_whole = node->array && (node->array->bytes.data() || node->array->count() == 0);
      return is_whole ? PickleValue::Kind::kArray : PickleValue::Kind::kOther;
    }
    case Type::kObject:
      return node->global == Global::kCsc || node->global == Global::kCsr ? PickleValue::Kind::kSparse
                                                                          : PickleValue::Kind::kOther;
    default:
      return PickleValue::Kind::kOther;
  }
}

}  // namespace

PickleValue::PickleValue(std::shared_ptr<const PickleDocument> document, Slot slot, std::string name)
    : document_(std::move(document)), slot_(slot), name_(std::move(name)) {
  constexpr int kMostWrappers = 8;
  for (int i = 0; i < kMostWrappers && slot_.tag == Tag::kNode; ++i) {
    const PickleNode* node = slot_.node;
    if (node->type == Type::kObjectArray && node->array->shape.empty()) {
      slot_ = node->items.at(0);
    } else if (node->type == Type::kObject && node->global == Global::kChumpy && node->state) {
      const std::vector<Slot>& items = node->state->items;
      std::size_t at = items.size();
      for (; at >= 2; at -= 2) {
        const Slot key = items[at - 2];
        if (key.tag == Tag::kNode && isText(key.node) && key.node->view() == "x") break;
      }
      if (at < 2) return;
      slot_ = items[at - 1];
    } else {
      return;
    }
  }
}

PickleValue::Kind PickleValue::kind() const {
  switch (slot_.tag) {
    case Tag::kNone:
      return Kind::kNone;
    case Tag::kBool:
      return Kind::kBool;
    case Tag::kInteger:
      return Kind::kInteger;
    case Tag::kReal:
      return Kind::kReal;
    case Tag::kNode:
      return kindOf(slot_.node);
  }
  return Kind::kOther;
}

namespace {

const char* describe(PickleValue::Kind kind) {
  switch (kind) {
    case PickleValue::Kind::kNone:
      return "None";
    case PickleValue::Kind::kBool:
      return "a truth value";
    case PickleValue::Kind::kInteger:
      return "an integer";
    case PickleValue::Kind::kReal:
      return "a number";
    case PickleValue::Kind::kText:
      return "text";
    case PickleValue::Kind::kBytes:
      return "bytes";
    case PickleValue::Kind::kList:
      return "a list";
    case PickleValue::Kind::kDict:
      return "a dictionary";
    case PickleValue::Kind::kArray:
      return "an array";
    case PickleValue::Kind::kSparse:
      return "a sparse matrix";
    case PickleValue::Kind::kOther:
      break;
  }
  return "an object that is not understood";
}

}  // namespace

bool PickleValue::has(const std::string& key) const {
  if (kind() != Kind::kDict) return false;
  const std::vector<Slot>& items = slot_.node->items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].tag == Tag::kNode && isText(items[i].node) && items[i].node->view() == key) return true;
  }
  return false;
}

PickleValue PickleValue::operator[](const std::string& key) const {
  if (kind() != Kind::kDict) complain("is ", describe(kind()), ", expected a dictionary");
  const std::vector<Slot>& items = slot_.node->items;
  for (std::size_t i = items.size(); i >= 2; i -= 2) {  // the last one wins, as in Python
    const Slot name = items[i - 2], value = items[i - 1];
    if (name.tag != Tag::kNode || !isText(name.node) || name.node->view() != key) continue;
    const std::string place = name_ + ": " + printable(key);
    if (value.tag == Tag::kNode && value.node->type == Type::kEntry) {
      try {
        return readPython(document_->npz->content(static_cast<std::size_t>(value.node->offset)), place);
      } catch (const Error& error) {
        asModelError(error);
      }
    }
    return {document_, value, place};
  }
  std::string known;
  for (const std::string& other : keys()) {
    if (known.size() > 200) {
      known += ", …";
      break;
    }
    known += (known.empty() ? "" : ", ") + printable(other);
  }
  complain("has no ", key, " (it has ", known.empty() ? "nothing" : known, ")");
}

std::vector<std::string> PickleValue::keys() const {
  std::vector<std::string> names;
  if (kind() != Kind::kDict) return names;
  const std::vector<Slot>& items = slot_.node->items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].tag == Tag::kNode && isText(items[i].node)) names.emplace_back(items[i].node->view());
  }
  return names;
}

std::size_t PickleValue::size() const {
  if (kind() != Kind::kList) complain("is ", describe(kind()), ", expected a list");
  return slot_.node->items.size();
}

PickleValue PickleValue::operator[](std::size_t index) const {
  if (index >= size()) complain("has ", size(), " items, expected at least ", index + 1);
  return {document_, slot_.node->items[index], name_ + "[" + std::to_string(index) + "]"};
}

std::int64_t PickleValue::integer() const {
  if (slot_.tag == Tag::kInteger || slot_.tag == Tag::kBool) return slot_.integer;
  const double value = number();
  if (!(std::abs(value) < 9e15) || value != std::floor(value)) complain("is not a whole number");
  return static_cast<std::int64_t>(value);
}

double PickleValue::number() const {
  if (slot_.tag == Tag::kReal) return slot_.real;
  if (slot_.tag == Tag::kInteger || slot_.tag == Tag::kBool) return static_cast<double>(slot_.integer);
  if (kind() != Kind::kArray) complain("is ", describe(kind()), ", expected a number");
  const ArrayView& view = *slot_.node->array;
  if (view.count() != 1 || !view.isNumeric()) complain("is ", shapeText(view.shape), ", expected one number");
  return view.asDouble()[0];
}

std::string PickleValue::text() const {
  if (kind() == Kind::kArray && slot_.node->array->isText() && slot_.node->array->count() == 1) {
    return slot_.node->array->asStrings()[0];
  }
  if (kind() != Kind::kText && kind() != Kind::kBytes) complain("is ", describe(kind()), ", expected text");
  if (slot_.node->type != Type::kEscapedText) return std::string(slot_.node->view());
  std::string result;
  for (const auto *at = slot_.node->data, *end = at + slot_.node->size; at < end;) {
    appendUtf8(nextEscaped(at, end), result);
  }
  return result;
}

std::vector<std::int64_t> PickleValue::shape() const {
  if (kind() == Kind::kArray) return slot_.node->array->shape;
  if (kind() == Kind::kList) return {static_cast<std::int64_t>(size())};
  complain("is ", describe(kind()), ", expected an array");
}

ArrayView PickleValue::array() const {
  if (kind() != Kind::kArray) complain("is ", describe(kind()), ", expected an array");
  ArrayView view = *slot_.node->array;
  view.bytes = SharedBytes(document_, view.bytes.data(), view.bytes.size());
  return view;
}

void PickleValue::expectShape(std::initializer_list<std::int64_t> expected) const {
  std::vector<std::int64_t> trimmed = shape();
  while (trimmed.size() > expected.size() && trimmed.front() == 1) trimmed.erase(trimmed.begin());
  while (trimmed.size() > expected.size() && trimmed.back() == 1) trimmed.pop_back();
  bool fits = trimmed.size() == expected.size();
  for (std::size_t d = 0; fits && d < trimmed.size(); ++d) {
    fits = expected.begin()[d] == kAny || trimmed[d] == expected.begin()[d];
  }
  if (fits) return;
  std::string wanted;
  for (const std::int64_t length : expected) {
    wanted += (wanted.empty() ? "" : " x ") + (length == kAny ? std::string("any") : std::to_string(length));
  }
  complain("is ", shapeText(shape()), ", expected ", wanted);
}

Eigen::MatrixXf PickleValue::matrix(std::int64_t rows, std::initializer_list<std::int64_t> expected) const {
  expectShape(expected);
  return valuesAsRows(rows);
}

Points3 PickleValue::points() const {
  if (count() == 0 || count() % 3 != 0)
    complain("is ", shapeText(shape()), ", expected three values per vertex");
  return valuesAsRows(count() / 3);
}

Eigen::MatrixXf PickleValue::modes(std::int64_t num_vertices) const {
  const std::vector<std::int64_t> axes = shape();
  const bool is_flat = axes.size() == 2 && axes[0] == 3 * num_vertices;
  const bool is_deep = axes.size() == 3 && axes[0] == num_vertices && axes[1] == 3;
  if (!is_flat && !is_deep) {
    complain("is ", shapeText(axes), ", expected ", 3 * num_vertices, " x any or ", num_vertices,
             " x 3 x any");
  }
  return valuesAsRows(3 * num_vertices);
}

std::int64_t PickleValue::count() const {
  std::int64_t product = 1;
  for (const std::int64_t length : shape()) product *= length;
  return product;
}

Eigen::MatrixXf PickleValue::valuesAsRows(std::int64_t rows) const {
  Eigen::MatrixXf result;
  if (kind() == Kind::kList) {
    std::vector<float> values;
    for (std::size_t i = 0; i < size(); ++i) values.push_back(static_cast<float>((*this)[i].number()));
    if (rows <= 0 || static_cast<std::int64_t>(values.size()) % rows != 0)
      complain("does not have ", rows, " rows");
    result = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
        values.data(), rows, static_cast<std::int64_t>(values.size()) / rows);
  } else {
    const ArrayView& view = *slot_.node->array;
    if (!view.isNumeric()) complain("holds items of type ", printable(view.dtype), ", expected numbers");
    if (rows <= 0 || view.count() % rows != 0)
      complain("is ", shapeText(view.shape), ", which has no ", rows, " rows");
    result = view.asMatrix(rows);
  }
  if (!result.allFinite()) complain("holds a value that is not finite (NaN or infinite, or beyond float)");
  return result;
}

std::vector<std::int32_t> PickleValue::indices(std::int64_t limit) const {
  std::vector<std::int32_t> result;
  const auto add = [&](double value) {
    // Written so that NaN fails.
    if (!(value >= 0 && value < static_cast<double>(limit)) || value != std::floor(value)) {
      complain("holds ", value, ", expected whole numbers from 0 to ", limit - 1);
    }
    result.push_back(static_cast<std::int32_t>(value));
  };
  if (kind() == Kind::kList) {
    for (std::size_t i = 0; i < size(); ++i) add((*this)[i].number());
  } else if (kind() == Kind::kArray) {
    const ArrayView& view = *slot_.node->array;
    if (!view.isNumeric()) complain("holds items of type ", printable(view.dtype), ", expected numbers");
    result.reserve(static_cast<std::size_t>(view.count()));
    std::array<double, 1024> some;
    const auto chunk = static_cast<std::int64_t>(some.size());
    for (std::int64_t begin = 0; begin < view.count(); begin += chunk) {
      const std::int64_t end = std::min(begin + chunk, view.count());
      view.copyTo(begin, end, some.data());
      std::for_each(some.begin(), some.begin() + (end - begin), add);
    }
  } else {
    add(number());
  }
  return result;
}

std::vector<std::string> PickleValue::texts() const {
  if (kind() == Kind::kArray && slot_.node->array->isText()) return slot_.node->array->asStrings();
  std::vector<std::string> result;
  for (std::size_t i = 0; i < size(); ++i) result.push_back((*this)[i].text());
  return result;
}

Eigen::SparseMatrix<float, Eigen::RowMajor> PickleValue::sparse(std::int64_t rows, std::int64_t cols) const {
  Eigen::SparseMatrix<float, Eigen::RowMajor> result(rows, cols);
  if (kind() == Kind::kArray) {
    const Eigen::MatrixXf dense = matrix(rows, {rows, cols});
    result = dense.sparseView();
    return result;
  }
  if (kind() != Kind::kSparse || !slot_.node->state) complain("is ", describe(kind()), ", expected a matrix");
  const PickleValue state(
      document_,
      [this] {
        Slot slot;
        slot.tag = Tag::kNode;
        slot.node = slot_.node->state;
        return slot;
      }(),
      name_);
  const std::vector<std::int32_t> size = state[state.has("_shape") ? "_shape" : "shape"].indices();
  if (size != std::vector<std::int32_t>{static_cast<std::int32_t>(rows), static_cast<std::int32_t>(cols)}) {
    complain("is ", size.empty() ? 0 : size.front(), " x ", size.empty() ? 0 : size.back(), ", expected ",
             rows, " x ", cols);
  }
  const bool is_csc = slot_.node->global == Global::kCsc;
  const std::vector<std::int32_t> start = state["indptr"].indices();
  const std::vector<std::int32_t> inner = state["indices"].indices(is_csc ? rows : cols);
  const PickleValue data = state["data"];
  const auto count = static_cast<std::int64_t>(inner.size());
  Eigen::MatrixXf values;
  if (count > 0) values = data.matrix(count, {count});
  if (static_cast<std::int64_t>(start.size()) != (is_csc ? cols : rows) + 1 || start.front() != 0 ||
      start.back() > count || !std::is_sorted(start.begin(), start.end())) {
    complain("is a sparse matrix whose indptr does not fit");
  }
  std::vector<Eigen::Triplet<float>> entries;
  entries.reserve(inner.size());
  for (std::size_t outer = 0; outer + 1 < start.size(); ++outer) {
    for (std::int32_t i = start[outer]; i < start[outer + 1]; ++i) {
      const auto o = static_cast<int>(outer);
      entries.emplace_back(is_csc ? inner[i] : o, is_csc ? o : inner[i], values(i, 0));
    }
  }
  result.setFromTriplets(entries.begin(), entries.end());
  return result;
}

// --- Files ---

namespace {

// Protocol 0 and 1 have no signature; these opcodes begin what model files hold (dictionaries, lists,
// arrays).
bool looksLikePickle(const SharedBytes& bytes) {
  if (bytes.size() < 2) return false;
  return bytes.data()[0] == 0x80 || std::strchr("(]})cd", bytes.data()[0]) != nullptr;
}

constexpr std::uint8_t kLegacyTorchMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                              0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

bool looksLikeLegacyTorch(const SharedBytes& bytes) {
  return bytes.size() > sizeof(kLegacyTorchMagic) &&
         std::memcmp(bytes.data(), kLegacyTorchMagic, sizeof(kLegacyTorchMagic)) == 0;
}

}  // namespace

PickleValue readPython(const SharedBytes& bytes, const std::string& name) try {
  refuseLookalikes(bytes.data(), bytes.size(), name);
  const auto document = std::make_shared<PickleDocument>();
  document->file = bytes;
  std::size_t memory_left = bytes.size() + kSpareMemory;
  const auto readerOf = [&](const SharedBytes& part) {
    return PickleReader(*document, part, name, &memory_left, 0);
  };
  if (isNpy(bytes)) {
    ArrayView view = viewNpy(bytes, name);
    if (isObjects(view.dtype)) {
      PickleReader reader = readerOf(view.bytes);
      document->root = reader.run();
      reader.placeTensors();
    } else {
      PickleNode& node = document->nodes.emplace_back();
      node.type = Type::kArray;
      node.array = std::make_unique<ArrayView>(std::move(view));
      document->root.tag = PickleValue::Tag::kNode;
      document->root.node = &node;
    }
  } else if (isZip(bytes)) {
    const std::vector<ZipEntry> entries = zipDirectory(bytes, name);
    const auto pickle = std::find_if(entries.begin(), entries.end(), [](const ZipEntry& entry) {
      return entry.name == "data.pkl" || entry.name.ends_with("/data.pkl");
    });
    if (pickle != entries.end()) {  // torch's zip layout
      PickleReader reader = readerOf(zipContent(bytes, *pickle, name + " (" + pickle->name + ")"));
      reader.setZip(&bytes, &entries, pickle->name.substr(0, pickle->name.size() - std::strlen("data.pkl")));
      document->root = reader.run();
      reader.placeTensors();
    } else {
      document->npz = std::make_unique<NpzFile>(bytes, name);
      PickleNode& dictionary = document->nodes.emplace_back();
      dictionary.type = Type::kDict;
      for (std::size_t i = 0; i < document->npz->size(); ++i) {
        const std::string key = document->npz->key(i);
        document->decoded.push_back(std::make_unique<const Bytes>(key.begin(), key.end()));
        PickleNode& text = document->nodes.emplace_back();
        text.type = Type::kText;
        text.data = document->decoded.back()->data();
        text.size = key.size();
        PickleNode& entry = document->nodes.emplace_back();
        entry.type = Type::kEntry;
        entry.offset = static_cast<std::int64_t>(i);
        for (PickleNode* node : {&text, &entry}) {
          PickleValue::Slot slot;
          slot.tag = PickleValue::Tag::kNode;
          slot.node = node;
          dictionary.items.push_back(slot);
        }
      }
      document->root.tag = PickleValue::Tag::kNode;
      document->root.node = &dictionary;
    }
  } else if (looksLikeLegacyTorch(bytes)) {
    document->root = readerOf(bytes).runLegacyTorch();
  } else if (looksLikePickle(bytes)) {
    PickleReader reader = readerOf(bytes);
    document->root = reader.run();
    reader.placeTensors();
  } else {
    fail(ErrorKind::kModel, name, ": is not a file that Python wrote (a pickle, .npy, .npz or torch file)");
  }
  return {document, document->root, name};
} catch (const Error& error) {
  asModelError(error);
}

PickleValue readPython(const fs::path& path) try {
  return readPython(mapBytes(path), path.string());
} catch (const Error& error) {
  asModelError(error);
}

}  // namespace facet
