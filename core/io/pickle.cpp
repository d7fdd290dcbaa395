#include "core/io/pickle.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/io/file_kind.h"
#include "core/io/files.h"
#include "core/io/npz.h"
#include "core/io/pickle_machine.h"
#include "core/io/zip.h"

namespace facet {
namespace fs = std::filesystem;

namespace {

using Type = PickleNodeType;
using Global = PickleGlobal;

constexpr std::size_t kSpareMemory = 32 << 20;  // for small files

// The layers below know no models; here every file is (part of) one.
[[noreturn]] void asModelError(const Error& error) {
  if (error.kind() == ErrorKind::kModel) throw error;
  fail(ErrorKind::kModel, error.what());
}

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

Triangles PickleValue::triangles(std::int64_t num_vertices) const {
  const std::vector<std::int64_t> axes = shape();
  if (axes.size() != 2 || axes[1] != 3 || axes[0] == 0) complain("is ", shapeText(axes), ", expected F x 3");
  const std::vector<std::int32_t> corners = indices(num_vertices);
  return Eigen::Map<const Triangles>(corners.data(), axes[0], 3);
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
  refuseLookalikes(bytes, name);
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
        document->decoded.push_back(
            std::make_unique<const std::vector<std::uint8_t>>(key.begin(), key.end()));
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
