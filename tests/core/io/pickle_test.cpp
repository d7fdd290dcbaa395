#include "core/io/pickle.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/npz.h"
#include "tests/core/io/pickle_writer.h"
#include "tests/data.h"

using namespace facet;
using facet::test::PickleWriter;

namespace {

PickleValue read(std::vector<std::uint8_t> bytes, const std::string& name = "a.pkl") {
  return readPython(SharedBytes(std::move(bytes)), name);
}
PickleValue read(const std::string& bytes, const std::string& name = "a.pkl") {
  return read(std::vector<std::uint8_t>(bytes.begin(), bytes.end()), name);
}

std::string errorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kModel);
    return error.what();
  }
  return "";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

template <typename T>
std::string raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

std::string reversed(std::string bytes, std::size_t item) {
  for (std::size_t i = 0; i < bytes.size(); i += item) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + item));
  }
  return bytes;
}

}  // namespace

TEST_CASE("pickle: plain values come back from protocols 0, 2 and 4, of Python 2 and 3") {
  for (const int protocol : {0, 2, 4}) {
    for (const bool python2 : {false, true}) {
      if (python2 && protocol == 4) continue;  // Python 2 ends at protocol 2
      CAPTURE(protocol);
      CAPTURE(python2);
      PickleWriter writer(protocol, python2);
      writer.dict({{"one", [&] { writer.integer(1); }},
                   {"minus", [&] { writer.integer(-70000); }},
                   {"huge", [&] { writer.integer(1234567890123); }},
                   {"real", [&] { writer.real(-0.5); }},
                   {"yes", [&] { writer.boolean(true); }},
                   {"nothing", [&] { writer.none(); }},
                   {"text", [&] { writer.text("eye lid"); }},
                   {"list",
                    [&] {
                      writer.listOf({[&] { writer.integer(3); }, [&] { writer.integer(4); }});
                    }},
                   {"tuple", [&] { writer.tuple([&] { writer.integer(5); }); }}});
      const PickleValue value = read(writer.finish());
      REQUIRE(value.kind() == PickleValue::Kind::kDict);
      CHECK(value.keys().size() == 9);
      CHECK(value["one"].integer() == 1);
      CHECK(value["minus"].integer() == -70000);
      CHECK(value["huge"].integer() == 1234567890123);
      CHECK(value["real"].number() == -0.5);
      CHECK(value["yes"].kind() == PickleValue::Kind::kBool);
      CHECK(value["nothing"].kind() == PickleValue::Kind::kNone);
      CHECK(value["text"].text() == "eye lid");
      REQUIRE(value["list"].size() == 2);
      CHECK(value["list"][1].integer() == 4);
      CHECK(value["list"].indices(10) == std::vector<std::int32_t>{3, 4});
      CHECK(value["tuple"][0].integer() == 5);
    }
  }
}

TEST_CASE("pickle: arrays keep their values in every protocol, type, byte order and axis order") {
  const std::string floats = raw({1.5F, -2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
  const std::string doubles = raw({1.5, -2.0, 3.0, 4.0, 5.0, 6.0});
  const std::string fortran = raw({1.5F, 4.0F, -2.0F, 5.0F, 3.0F, 6.0F});
  const std::string bytes = raw<std::uint8_t>({0, 10, 13, 26, 92, 255});
  const Eigen::Matrix<float, 2, 3> expected{{1.5F, -2, 3}, {4, 5, 6}};
  for (const int protocol : {0, 2, 4}) {
    for (const bool python2 : {false, true}) {
      if (python2 && protocol == 4) continue;
      CAPTURE(protocol);
      CAPTURE(python2);
      PickleWriter writer(protocol, python2);
      if (protocol == 4) writer.useNumpy2Names();
      writer.dict({{"f4",
                    [&] {
                      writer.array("f4", '<', {2, 3}, floats);
                    }},
                   {"again", [&] { writer.array("f4", '<', {6}, floats); }},  // the dtype comes from the memo
                   {"f8",
                    [&] {
                      writer.array("f8", '<', {2, 3}, doubles);
                    }},
                   {"big4",
                    [&] {
                      writer.array("f4", '>', {2, 3}, reversed(floats, 4));
                    }},
                   {"big8",
                    [&] {
                      writer.array("f8", '>', {2, 3}, reversed(doubles, 8));
                    }},
                   {"fortran",
                    [&] {
                      writer.array("f4", '<', {2, 3}, fortran, true);
                    }},
                   {"u1", [&] { writer.array("u1", '|', {6}, bytes); }},
                   {"names", [&] { writer.array("S3", '|', {2}, std::string("ab\0xyz", 6)); }},
                   {"wide", [&] {
                      writer.array("U2", '>', {1}, reversed(raw<std::uint32_t>({0xe9, 0x4e2d}), 4));
                    }}});
      const PickleValue value = read(writer.finish());
      for (const char* key : {"f4", "f8", "big4", "big8", "fortran"}) {
        CAPTURE(key);
        CHECK(value[key].matrix(2, {2, 3}) == expected);
        CHECK(value[key].matrix(3, {2, PickleValue::kAny}).cols() == 2);
      }
      CHECK(value["again"].shape() == std::vector<std::int64_t>{6});
      CHECK(value["u1"].indices(256) == std::vector<std::int32_t>{0, 10, 13, 26, 92, 255});
      CHECK(value["names"].texts() == std::vector<std::string>{"ab", "xyz"});
      CHECK(value["wide"].texts() == std::vector<std::string>{"é中"});
    }
  }
}

TEST_CASE("pickle: chumpy and scipy objects are seen through") {
  const Eigen::MatrixXd values = Eigen::MatrixXd::Random(4, 3);
  Eigen::SparseMatrix<double> sparse(2, 5);
  sparse.insert(0, 1) = 0.25;
  sparse.insert(1, 4) = -3;
  sparse.insert(0, 4) = 7;
  sparse.makeCompressed();
  for (const int protocol : {0, 2, 4}) {
    CAPTURE(protocol);
    PickleWriter writer(protocol, protocol < 4);
    writer.dict({{"ch", [&] { writer.chumpy([&] {
                                writer.doubles(values, {4, 3});
                              }); }},
                 {"old", [&] { writer.csc(sparse); }},
                 {"new", [&] { writer.csc(sparse, "scipy.sparse._csc"); }},
                 {"dense", [&] {
                    writer.doubles(Eigen::MatrixXd(sparse), {2, 5});
                  }}});
    const PickleValue value = read(writer.finish());
    CHECK(value["ch"].matrix(4, {4, 3}).isApprox(values.cast<float>()));
    for (const char* key : {"old", "new", "dense"}) {
      CHECK(Eigen::MatrixXf(value[key].sparse(2, 5)).isApprox(Eigen::MatrixXd(sparse).cast<float>()));
    }
    CHECK(holds(errorOf([&] { value["old"].sparse(3, 5); }), "a.pkl: old: is 2 x 5, expected 3 x 5"));
  }
}

TEST_CASE("pickle: a chumpy Select picks from its array") {
  const Eigen::VectorXd values = Eigen::VectorXd::LinSpaced(6, 0, 5);
  PickleWriter writer(2, true);
  writer.object("chumpy.reordering", "Select");
  writer.dict({{"a", [&] { writer.chumpy([&] {
                             writer.doubles(values, {2, 3});
                           }); }},
               {"idxs",
                [&] {
                  writer.array("i8", '<', {4}, raw<std::int64_t>({5, 0, -2, 1}));
                }},
               {"preferred_shape", [&] {
                  writer.shape({2, 2});
                }}});
  writer.raw("b");
  const Eigen::Matrix2f expected{{5, 0}, {4, 1}};
  CHECK(read(writer.finish()).matrix(2, {2, 2}) == expected);

  PickleWriter beyond(2, true);
  beyond.object("chumpy.reordering", "Select");
  beyond.dict({{"a", [&] { beyond.doubles(values, {6}); }},
               {"idxs", [&] { beyond.array("i8", '<', {1}, raw<std::int64_t>({6})); }}});
  beyond.raw("b");
  CHECK(holds(errorOf([&] { read(beyond.finish()); }), "beyond its array"));
}

TEST_CASE("pickle: code in a pickle does not run; the file is refused by the name of what it asks for") {
  const test::TemporaryFolder folder("pickle");
  const std::string target = (folder / "it_ran").string();
  for (const std::string& module : {std::string("os"), std::string("posix"), std::string("nt")}) {
    const std::string text = "c" + module + "\nsystem\n(S'touch " + target + "'\ntR.";
    CHECK(holds(errorOf([&] { read(text); }), "a.pkl: the pickle asks for " + module + ".system"));
    PickleWriter writer(4);
    writer.global(module, "system").tuple([&] { writer.text("touch " + target); }).raw("R");
    CHECK(holds(errorOf([&] { read(writer.finish()); }), module + ".system"));
    CHECK(holds(errorOf([&] { read("(S'touch " + target + "'\ni" + module + "\nsystem\n."); }),
                module + ".system"));
  }
  CHECK_FALSE(std::filesystem::exists(target));
  for (const char* name :
       {"builtins.eval", "builtins.exec", "__builtin__.eval", "subprocess.Popen", "builtins.getattr",
        "numpy.load", "numpy.core.multiarray.fromfile", "torch.load", "functools.partial"}) {
    const std::string full = name;
    const std::size_t dot = full.rfind('.');
    const std::string text = "c" + full.substr(0, dot) + "\n" + full.substr(dot + 1) + "\n(S'1'\ntR.";
    CHECK(holds(errorOf([&] { read(text); }), "asks for " + full));
  }
  // What is known cannot be called for other things than it is known for.
  CHECK(holds(errorOf([] { read("cnumpy\nndarray\n(tR."); }), "numpy.ndarray"));
  CHECK(holds(errorOf([] { read("c_codecs\nencode\n(S'x'\nS'rot13'\ntR."); }), "rot13"));
}

TEST_CASE("pickle: control characters of a hostile name do not reach the terminal") {
  const std::string message = errorOf([] { read("cos\x1b[31m\nsys\x07tem\n."); });
  CHECK(holds(message, "os?[31m.sys?tem"));
  CHECK_FALSE(holds(message, "\x1b"));
}

TEST_CASE("pickle: small files that ask for large memory are refused") {
  // A long list, copied again and again through the memo.
  std::string copies = "](" + std::string(50000, 'N') + "eq\x01";
  for (int i = 0; i < 1000; ++i) copies += "0c__builtin__\nlist\n(h\x01tR";
  CHECK(holds(errorOf([&] { read(copies + "."); }), "memory"));
  // The same million letters decoded again and again.
  std::string text(1 << 20, 'x');
  PickleWriter writer(2);
  writer.raw("X").number(static_cast<std::uint32_t>(text.size())).raw(text).raw("q\x01");
  for (int i = 0; i < 200; ++i) writer.raw("0c_codecs\nencode\n(h\x01").text("latin1").raw("tR");
  CHECK(holds(errorOf([&] { read(writer.finish()); }), "memory"));
  // Two hundred million marks, pushes and memo entries cannot come from few bytes; many bytes are refused.
  CHECK(holds(errorOf([] { read("\x80\x02" + std::string(4 << 20, '}') + "."); }), "memory"));
  // Claims beyond the file.
  CHECK(holds(errorOf([] {
                read(
                    "\x80\x02X\xff\xff\xff\x7f"
                    "abc.");
              }),
              "cut off"));
  CHECK(holds(errorOf([] {
                PickleWriter w(2, true);
                w.array("f8", '<', {1 << 30, 1 << 30}, "12345678");
                read(w.finish());
              }),
              "an array"));
  CHECK(holds(errorOf([] {
                PickleWriter w(2, true);
                w.array("f8", '<', {1LL << 62, 1LL << 62, 0}, "");
                w.array("f8", '<', {1000}, "12345678");
                read(w.finish());
              }),
              "an array"));
}

TEST_CASE("pickle: a file cut anywhere is an error and says so") {
  for (const int protocol : {0, 2, 4}) {
    PickleWriter writer(protocol);
    writer.dict({{"a",
                  [&] {
                    writer.doubles(Eigen::MatrixXd::Random(8, 8), {8, 8});
                  }},
                 {"b", [&] { writer.text("text"); }},
                 {"c", [&] { writer.real(2); }}});
    const std::vector<std::uint8_t> whole = writer.finish();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      CHECK_FALSE(
          errorOf([&] {
            read(std::vector<std::uint8_t>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
          }).empty());
    }
    CHECK(errorOf([&] { read(whole); }).empty());
  }
}

TEST_CASE("pickle: complaints name the place in the file, what is there and what was expected") {
  PickleWriter writer(2);
  writer.dict({{"shapedirs",
                [&] {
                  writer.doubles(Eigen::MatrixXd::Zero(4, 3), {4, 3});
                }},
               {"nan", [&] { writer.array("f4", '<', {1}, raw({std::nanf("")})); }},
               {"huge", [&] { writer.array("f8", '<', {1}, raw({1e300})); }},
               {"half", [&] { writer.array("f8", '<', {1}, raw({0.5})); }},
               {"list", [&] { writer.listOf({[&] { writer.dict({}); }}); }}});
  const PickleValue value = read(writer.finish(), "dir/model.pkl");
  CHECK(errorOf([&] {
          value["shapedirs"].matrix(12, {4, 3, PickleValue::kAny});
        }) == "dir/model.pkl: shapedirs: is 4 x 3, expected 4 x 3 x any");
  CHECK(holds(errorOf([&] { value["posedirs"]; }), "dir/model.pkl: has no posedirs (it has shapedirs, nan"));
  CHECK(holds(errorOf([&] { value["nan"].matrix(1, {1}); }),
              "dir/model.pkl: nan: holds a value that is not finite"));
  CHECK(holds(errorOf([&] { value["huge"].matrix(1, {1}); }), "not finite"));
  CHECK(holds(errorOf([&] { value["half"].indices(5); }),
              "half: holds 0.5, expected whole numbers from 0 to 4"));
  CHECK(holds(errorOf([&] { value["nan"].indices(5); }), "nan"));
  CHECK(holds(errorOf([&] { value["list"][0].number(); }),
              "dir/model.pkl: list[0]: is a dictionary, expected a number"));
  CHECK(holds(errorOf([&] { value["list"][1]; }), "has 1 items"));
  CHECK(holds(errorOf([&] { value["list"]["x"]; }), "is a list, expected a dictionary"));
}

TEST_CASE("pickle: web pages, Git LFS pointers and other files under a model's name say what they are") {
  CHECK(holds(errorOf([] { read("<!DOCTYPE html><html><head><title>Sign in</title>", "flame.pkl"); }),
              "flame.pkl: is a web page (HTML)"));
  CHECK(holds(errorOf([] { read("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"); }),
              "Git LFS pointer"));
  CHECK(holds(errorOf([] { read("\x89PNG\r\n\x1a\n"); }), "is not a file that Python wrote"));
  CHECK(holds(errorOf([] { read(""); }), "is not a file that Python wrote"));
  CHECK(holds(errorOf([] { readPython(std::filesystem::path("/nowhere/a.pkl")); }), "no such file"));
}

TEST_CASE(
    "npy and npz: objects inside are read without running them, big-endian and Fortran arrays as they are") {
  const test::TemporaryFolder folder("npy-objects");
  const auto npy = [](const std::string& descriptor, const std::string& shape, const std::string& data,
                      bool fortran = false) {
    std::string header = "{'descr': '" + descriptor + "', 'fortran_order': " + (fortran ? "True" : "False") +
                         ", 'shape': " + shape + ", }";
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size() & 0xFF);
    bytes += static_cast<char>(header.size() >> 8);
    return bytes + header + data;
  };
  // numpy.save of a dictionary: an array of objects without axes that holds it.
  PickleWriter writer(4);
  writer.global("numpy.core.multiarray", "_reconstruct");
  writer.tuple([&] { writer.global("numpy", "ndarray").shape({0}).bytes("b"); }).raw("R");
  writer.tuple([&] {
    writer.integer(1).shape({}).dtype("O8", '|').boolean(false);
    writer.listOf({[&] { writer.dict({{"a", [&] { writer.array("f4", '<', {1}, raw({2.5F})); }}}); }});
  });
  writer.raw("b");
  const std::vector<std::uint8_t> pickle = writer.finish();
  const std::string objects = npy("|O", "()", std::string(pickle.begin(), pickle.end()));
  CHECK(read(objects, "d.npy")["a"].number() == 2.5);
  CHECK(holds(errorOf([&] { read(npy("|O", "()", "cos\nsystem\n(S'x'\ntR."), "d.npy"); }), "os.system"));

  const std::string big = npy(">f8", "(2, 2)", reversed(raw({1.0, 2.0, 3.0, 4.0}), 8), true);
  const Eigen::Matrix2f expected{{1, 3}, {2, 4}};
  CHECK(read(big, "b.npy").matrix(2, {2, 2}) == expected);

  writeBytes(folder / "b.npy", big.data(), big.size());
  const NpyArray array = readNpy(folder / "b.npy");
  CHECK(array.dtype == "<f8");
  CHECK(array.asFloat() == std::vector<float>{1, 3, 2, 4});
  writeBytes(folder / "o.npy", objects.data(), objects.size());
  CHECK_THROWS_WITH_AS(readNpy(folder / "o.npy"), doctest::Contains("Python objects"), Error);
}

TEST_CASE("npz: an index of names and shapes needs no arrays; claims without data are refused") {
  const test::TemporaryFolder folder("npz-index");
  const std::vector<float> zeros(300000);
  for (const bool compress : {false, true}) {
    writeNpz(folder / "a.npz",
             {{"large", NpyArray::fromFloat(zeros.data(), {100, 1000, 3})},
              {"small", NpyArray::fromFloat(zeros.data(), {2})}},
             compress);
    std::vector<std::uint8_t> bytes = readBytes(folder / "a.npz");
    const NpzFile file(SharedBytes(std::vector<std::uint8_t>(bytes)), "a.npz");
    REQUIRE(file.size() == 2);
    CHECK(file.key(0) == "large");
    CHECK(file.header(0).shape == std::vector<std::int64_t>{100, 1000, 3});
    CHECK(file.header(0).dtype == "<f4");
    CHECK(file.header(1).shape == std::vector<std::int64_t>{2});
    CHECK(readPython(SharedBytes(std::vector<std::uint8_t>(bytes)), "a.npz")["large"]
              .matrix(300, {100, 1000, 3})
              .isZero());

    // The directory claims 3 GB for the first entry (its uncompressed size stands at 24 of the record).
    const std::string signature("PK\x01\x02", 4);
    const auto record = std::search(bytes.begin(), bytes.end(), signature.begin(), signature.end());
    REQUIRE(record != bytes.end());
    const std::uint32_t claim = 3U << 30;
    std::memcpy(&*record + 24, &claim, 4);
    CHECK_FALSE(errorOf([&] { read(bytes, "a.npz")["large"]; }).empty());
  }
}

TEST_CASE("torch: tensors of the legacy layout come back, also from inside a numpy file of objects") {
  // torch.save(tensor, _use_new_zipfile_serialization=False), by hand: magic, version, system, object, keys,
  // data.
  const auto legacy = [](bool storage_only) {
    std::string file("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
    file += std::string("\x80\x02M\xe9\x03.", 6);
    file += std::string("\x80\x02}q\x00(X\x0d\x00\x00\x00little_endian\x88u.", 27);
    PickleWriter writer(2);
    const auto storage = [&] {
      writer.tuple([&] {
        writer.text("storage").global("torch", "FloatStorage").text("7").text("cpu").integer(6).none();
      });
      writer.raw("Q");
    };
    if (storage_only) {
      storage();
    } else {
      writer.global("torch._utils", "_rebuild_tensor_v2");
      writer.tuple([&] {
        storage();
        writer.integer(0).shape({2, 3}).shape({1, 2}).boolean(false);
        writer.global("collections", "OrderedDict").raw(")R");
      });
      writer.raw("R");
    }
    const std::vector<std::uint8_t> object = writer.finish();
    file.append(object.begin(), object.end());
    file += std::string(
        "\x80\x02]q\x00X\x01\x00\x00\x00"
        "7a.",
        13);
    file += raw<std::int64_t>({6});
    file += raw({1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
    return file;
  };
  const Eigen::Matrix<float, 2, 3> transposed{{1, 3, 5}, {2, 4, 6}};
  CHECK(read(legacy(false), "t.pt").matrix(2, {2, 3}) == transposed);

  PickleWriter writer(2);
  writer.global("torch._utils", "_rebuild_tensor_v2");
  writer.tuple([&] {
    writer.global("torch.storage", "_load_from_bytes").tuple([&] { writer.bytes(legacy(true)); }).raw("R");
    writer.integer(1).shape({2, 2}).shape({2, 1}).boolean(false).none();
  });
  writer.raw("R");
  const Eigen::Matrix2f inner{{2, 3}, {4, 5}};
  CHECK(read(writer.finish()).matrix(2, {2, 2}) == inner);

  // A tensor of a plain pickle has nowhere to take its data from; a storage alone is an array, if it is
  // whole.
  PickleWriter orphan(2);
  orphan.global("torch._utils", "_rebuild_tensor_v2");
  orphan.tuple([&] {
    orphan.tuple([&] {
      orphan.text("storage").global("torch", "ByteStorage").text("0").text("cpu").integer(4).none();
    });
    orphan.raw("Q").integer(0).shape({4}).shape({1}).boolean(false).none();
  });
  orphan.raw("R");
  CHECK(holds(errorOf([&] { read(orphan.finish()); }), "without its data"));
  CHECK(read(legacy(true), "s.pt").matrix(6, {6})(5) == 6);

  // A tensor that reaches beyond its storage, or repeats one item a million times.
  for (const std::vector<std::int64_t>& stride : {std::vector<std::int64_t>{3, 1}, {0, 0}}) {
    PickleWriter beyond(2);
    beyond.global("torch._utils", "_rebuild_tensor_v2");
    beyond.tuple([&] {
      beyond.global("torch.storage", "_load_from_bytes").tuple([&] { beyond.bytes(legacy(true)); }).raw("R");
      beyond.integer(1).shape(stride[0] == 0 ? std::vector<std::int64_t>{1000, 1000}
                                             : std::vector<std::int64_t>{2, 3});
      beyond.shape(stride).boolean(false).none();
    });
    beyond.raw("R");
    CHECK(holds(errorOf([&] { read(beyond.finish()); }), "larger than its data"));
  }
}

TEST_CASE("python: what the real pickle, numpy, scipy and torch write is read as they wrote it") {
  const std::string python = "/usr/bin/python3";
  const test::TemporaryFolder folder("python");
  const std::string script = std::string(FACET_SOURCE_DIR) + "/tests/core/io/write_pickles.py";
  const std::string command = python + " '" + script + "' '" + folder.path().string() + "' > /dev/null 2>&1";
  if (std::system(command.c_str()) != 0) {
    MESSAGE("skipped: no python3 with numpy and scipy");
    return;
  }
  int read_files = 0;
  const auto check = [&](const PickleValue& value) {
    CHECK(value["f4"].matrix(2, {2, 3}) == Eigen::Matrix<float, 2, 3>{{0, 1, 2}, {3, 4, 5}});
    CHECK(value["f8_fortran"].matrix(2, {2, 3}) == Eigen::Matrix<float, 2, 3>{{0, 1, 2}, {3, 4, 5}});
    CHECK(value["big"].matrix(3, {3}) == Eigen::Vector3f(1, -2, 3));
    CHECK(value["i8"].indices(100) == std::vector<std::int32_t>{7, 8, 99});
    CHECK(value["text"].text() == "Grüße");
    CHECK(value["names"].texts() == std::vector<std::string>{"jawOpen", "é"});
    CHECK(value["scalar"].number() == 2.5);
    CHECK(value["list"].size() == 3);
  };
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    CAPTURE(entry.path().filename().string());
    const std::string stem = entry.path().stem().string();
    const PickleValue value = readPython(entry.path());
    ++read_files;
    if (stem.starts_with("tensor")) {
      CHECK(value["t"].matrix(2, {2, 3}) == Eigen::Matrix<float, 2, 3>{{0, 1, 2}, {3, 4, 5}});
      CHECK(value["transposed"].matrix(3, {3, 2}) == Eigen::Matrix<float, 3, 2>{{0, 3}, {1, 4}, {2, 5}});
      CHECK(value["long"].indices(100) == std::vector<std::int32_t>{4, 5, 6});
      continue;
    }
    check(value);
    if (value.has("sparse")) {
      Eigen::Matrix<float, 2, 3> expected{{0, 2, 0}, {1, 0, 3}};
      CHECK(Eigen::MatrixXf(value["sparse"].sparse(2, 3)) == expected);
      CHECK(Eigen::MatrixXf(value["csr"].sparse(2, 3)) == expected);
    }
  }
  CHECK(read_files >= 9);
}
