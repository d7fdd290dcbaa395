#pragma once

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace facet::test {

// Emits the opcodes of a pickle one by one, as Python's pickle module would, for tests of the reader. It
// shares no code with the reader. Protocol 0 is all text, 2 binary, 4 has frames, STACK_GLOBAL and MEMOIZE.
// `python2` writes byte strings as Python 2's str (the original FLAME files); otherwise protocols 0 and 2
// carry bytes as Latin-1 text through _codecs.encode, as Python 3 does.
class PickleWriter {
 public:
  explicit PickleWriter(int protocol, bool python2 = false) : protocol_(protocol), python2_(python2) {
    if (protocol_ >= 2) raw("\x80").byte(protocol_);
  }

  PickleWriter& raw(const std::string& opcodes) {
    out_ += opcodes;
    return *this;
  }
  PickleWriter& byte(int value) {
    out_.push_back(static_cast<char>(value));
    return *this;
  }
  template <typename T>
  PickleWriter& number(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out_.append(bytes, sizeof(T));
    return *this;
  }

  PickleWriter& none() { return raw("N"); }
  PickleWriter& boolean(bool value) {
    if (protocol_ == 0) return raw(value ? "I01\n" : "I00\n");
    return raw(value ? "\x88" : "\x89");
  }
  PickleWriter& integer(std::int64_t value) {
    if (protocol_ == 0) return raw("I").raw(std::to_string(value)).raw("\n");
    if (value >= 0 && value < 256) return raw("K").byte(static_cast<int>(value));
    if (value >= 0 && value < 65536) return raw("M").number(static_cast<std::uint16_t>(value));
    if (value >= INT32_MIN && value <= INT32_MAX) return raw("J").number(static_cast<std::int32_t>(value));
    return raw("\x8a\x08").number(value);
  }
  PickleWriter& real(double value) {
    if (protocol_ == 0) return raw("F").raw(std::to_string(value)).raw("\n");
    char bytes[8];
    std::memcpy(bytes, &value, 8);
    raw("G");
    for (int i = 8; i-- > 0;) out_.push_back(bytes[i]);
    return *this;
  }
  PickleWriter& text(const std::string& value) {
    if (python2_) return shortBytes(value);
    if (protocol_ == 0) return raw("V").raw(value).raw("\n");
    if (protocol_ >= 4 && value.size() < 256)
      return raw("\x8c").byte(static_cast<int>(value.size())).raw(value);
    return raw("X").number(static_cast<std::uint32_t>(value.size())).raw(value);
  }
  PickleWriter& bytes(const std::string& value) {
    if (python2_) return shortBytes(value);
    if (protocol_ >= 4) {
      if (value.size() < 256) return raw("C").byte(static_cast<int>(value.size())).raw(value);
      return raw("B").number(static_cast<std::uint32_t>(value.size())).raw(value);
    }
    global("_codecs", "encode");
    raw("(");
    if (protocol_ == 0) {
      raw("V");
      for (const unsigned char c : value) {
        char escaped[8];
        if (c == '\\' || c == 0 || c == '\n' || c == '\r' || c == 0x1a) {
          std::snprintf(escaped, sizeof(escaped), "\\u%04x", c);
          raw(escaped);
        } else {
          byte(c);
        }
      }
      raw("\n");
    } else {
      std::string utf8;
      for (const unsigned char c : value) {
        if (c < 0x80) {
          utf8.push_back(static_cast<char>(c));
        } else {
          utf8.push_back(static_cast<char>(0xC0 | c >> 6));
          utf8.push_back(static_cast<char>(0x80 | (c & 0x3F)));
        }
      }
      raw("X").number(static_cast<std::uint32_t>(utf8.size())).raw(utf8);
    }
    text("latin1");
    return raw("tR");
  }
  PickleWriter& global(const std::string& module, const std::string& name) {
    if (protocol_ < 4) return raw("c").raw(module).raw("\n").raw(name).raw("\n");
    return text(module).text(name).raw("\x93");
  }
  PickleWriter& tuple(const std::function<void()>& items) {
    raw("(");
    items();
    return raw("t");
  }
  PickleWriter& listOf(const std::vector<std::function<void()>>& items) {
    raw(protocol_ == 0 ? "(l" : "]");
    for (const auto& item : items) {
      item();
      raw("a");
    }
    return *this;
  }
  // Keys and values in turn.
  PickleWriter& dict(const std::vector<std::pair<std::string, std::function<void()>>>& items) {
    raw(protocol_ == 0 ? "(d" : "}");
    if (protocol_ > 0) raw("(");
    for (const auto& [key, value] : items) {
      text(key);
      value();
      if (protocol_ == 0) raw("s");
    }
    return protocol_ > 0 ? raw("u") : *this;
  }

  PickleWriter& dtype(const std::string& descriptor, char order) {
    const std::string key = descriptor + order;
    if (memo_of_.count(key)) {
      const int memo = memo_of_[key];
      return protocol_ == 0 ? raw("g").raw(std::to_string(memo)).raw("\n") : raw("h").byte(memo);
    }
    global("numpy", "dtype");
    tuple([&] { text(descriptor).integer(0).integer(1); });
    raw("R");
    const int memo = next_memo_++;
    memo_of_[key] = memo;
    if (protocol_ == 0)
      raw("p").raw(std::to_string(memo)).raw("\n");
    else if (protocol_ < 4)
      raw("q").byte(memo);
    else
      raw("\x94");
    tuple([&] {
      integer(3).text(std::string(1, order)).none().none().none();
      integer(-1).integer(-1).integer(0);
    });
    return raw("b");
  }
  PickleWriter& shape(const std::vector<std::int64_t>& lengths) {
    return tuple([&] {
      for (const std::int64_t length : lengths) integer(length);
    });
  }
  // numpy.core.multiarray._reconstruct(ndarray, (0,), b'b') and its state.
  PickleWriter& array(const std::string& descriptor, char order, const std::vector<std::int64_t>& lengths,
                      const std::string& data, bool is_fortran_order = false) {
    global(numpy_core_ + ".multiarray", "_reconstruct");
    tuple([&] {
      global("numpy", "ndarray");
      shape({0});
      bytes("b");
    });
    raw("R");
    tuple([&] {
      integer(1);
      shape(lengths);
      dtype(descriptor, order);
      boolean(is_fortran_order);
      bytes(data);
    });
    return raw("b");
  }
  PickleWriter& useNumpy2Names() {
    numpy_core_ = "numpy._core";
    return *this;
  }

  // Row-major values of a float matrix as float64, under any shape.
  template <typename Derived>
  PickleWriter& doubles(const Eigen::MatrixBase<Derived>& matrix, const std::vector<std::int64_t>& lengths) {
    std::string data;
    for (Eigen::Index r = 0; r < matrix.rows(); ++r) {
      for (Eigen::Index c = 0; c < matrix.cols(); ++c) {
        const double value = static_cast<double>(matrix(r, c));
        data.append(reinterpret_cast<const char*>(&value), 8);
      }
    }
    return array("f8", '<', lengths, data);
  }
  template <typename Derived>
  PickleWriter& uint32s(const Eigen::MatrixBase<Derived>& matrix, const std::vector<std::int64_t>& lengths) {
    std::string data;
    for (Eigen::Index r = 0; r < matrix.rows(); ++r) {
      for (Eigen::Index c = 0; c < matrix.cols(); ++c) {
        const auto value = static_cast<std::uint32_t>(matrix(r, c));
        data.append(reinterpret_cast<const char*>(&value), 4);
      }
    }
    return array("u4", '<', lengths, data);
  }
  // chumpy.ch.Ch around a value: object with a state {'x': value, …}.
  PickleWriter& chumpy(const std::function<void()>& value) {
    object("chumpy.ch", "Ch");
    dict({{"x", value}, {"_dirty_vars", [&] { emptySet(); }}, {"_itr", [&] { none(); }}});
    return raw("b");
  }
  PickleWriter& emptySet() {
    global("__builtin__", "set");
    raw("(");
    listOf({});
    return raw("tR");
  }
  // copy_reg._reconstructor(class, object, None), or NEWOBJ from protocol 2 on.
  PickleWriter& object(const std::string& module, const std::string& name) {
    if (protocol_ >= 2) return global(module, name).raw(")\x81");
    global("copy_reg", "_reconstructor");
    tuple([&] {
      global(module, name);
      global("__builtin__", "object");
      none();
    });
    return raw("R");
  }
  PickleWriter& csc(const Eigen::SparseMatrix<double>& matrix,
                    const std::string& module = "scipy.sparse.csc") {
    object(module, "csc_matrix");
    std::string data, indices, start;
    const std::int32_t zero = 0;
    start.append(reinterpret_cast<const char*>(&zero), 4);
    std::int32_t count = 0;
    for (int outer = 0; outer < matrix.outerSize(); ++outer) {
      for (Eigen::SparseMatrix<double>::InnerIterator it(matrix, outer); it; ++it) {
        const double value = it.value();
        const auto row = static_cast<std::int32_t>(it.row());
        data.append(reinterpret_cast<const char*>(&value), 8);
        indices.append(reinterpret_cast<const char*>(&row), 4);
        ++count;
      }
      start.append(reinterpret_cast<const char*>(&count), 4);
    }
    dict({{"_shape",
           [&] {
             shape({matrix.rows(), matrix.cols()});
           }},
          {"maxprint", [&] { integer(50); }},
          {"indices", [&] { array("i4", '<', {count}, indices); }},
          {"indptr", [&] { array("i4", '<', {matrix.outerSize() + 1}, start); }},
          {"data", [&] { array("f8", '<', {count}, data); }}});
    return raw("b");
  }

  std::vector<std::uint8_t> finish() {
    raw(".");
    std::string all = out_;
    if (protocol_ >= 4) {  // one frame around everything after PROTO
      const std::uint64_t size = out_.size() - 2;
      std::string frame = "\x95";
      frame.append(reinterpret_cast<const char*>(&size), 8);
      all.insert(2, frame);
    }
    return {all.begin(), all.end()};
  }

 private:
  // Python 2's str.
  PickleWriter& shortBytes(const std::string& value) {
    if (protocol_ == 0) {
      raw("S'");
      for (const unsigned char c : value) {
        char escaped[8];
        if (c == '\\' || c == '\'') {
          raw("\\").byte(c);
        } else if (c == '\n') {
          raw("\\n");
        } else if (c < 0x20 || c >= 0x7F) {
          std::snprintf(escaped, sizeof(escaped), "\\x%02x", c);
          raw(escaped);
        } else {
          byte(c);
        }
      }
      return raw("'\n");
    }
    if (value.size() < 256) return raw("U").byte(static_cast<int>(value.size())).raw(value);
    return raw("T").number(static_cast<std::int32_t>(value.size())).raw(value);
  }

  int protocol_;
  bool python2_;
  std::string out_;
  std::string numpy_core_ = "numpy.core";
  std::map<std::string, int> memo_of_;
  int next_memo_ = 0;
};

}  // namespace facet::test
