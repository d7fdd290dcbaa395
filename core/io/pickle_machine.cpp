#include "core/io/pickle_machine.h"

#include <array>
#include <cctype>
#include <charconv>
#include <initializer_list>

namespace facet {
namespace {

using Type = PickleNodeType;
using Global = PickleGlobal;
using Bytes = std::vector<std::uint8_t>;

constexpr int kMostNestedFiles = 4;  // a torch file in a pickle in an .npy

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

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 80;
  std::string result(text.substr(0, kMost));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text.size() > kMost ? result + "…" : result;
}

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

}  // namespace facet
