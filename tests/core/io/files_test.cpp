#include "core/io/files.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>

#include "core/error.h"
#include "tests/data.h"

using namespace facet;
namespace fs = std::filesystem;

namespace {

std::vector<std::uint8_t> bytesOf(const std::string& text) { return {text.begin(), text.end()}; }

int countFiles(const fs::path& folder) {
  return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// Makes writes past `limit` bytes fail, as a full disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t limit) {
    getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{limit, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

template <typename Body>
ErrorKind kindOf(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.kind();
  }
  FAIL("no Error was thrown");
  return ErrorKind::kRuntime;
}

}  // namespace

TEST_CASE("files: what is written is read back, and nothing else is left in the folder") {
  const test::TemporaryFolder folder("files");
  const std::string content("one\0two\n", 8);
  writeText(folder / "a.bin", content);
  CHECK(readText(folder / "a.bin") == content);
  writeText(folder / "a.bin", "shorter");
  CHECK(readBytes(folder / "a.bin") == bytesOf("shorter"));
  writeText(folder / "empty", "");
  CHECK(readBytes(folder / "empty").empty());
  CHECK(countFiles(folder.path()) == 2);
}

TEST_CASE("files: a missing file and a directory are input errors that name the path") {
  const test::TemporaryFolder folder("files");
  CHECK(kindOf([&] { readBytes(folder / "none"); }) == ErrorKind::kInput);
  CHECK(kindOf([&] { readText(folder.path()); }) == ErrorKind::kInput);
  CHECK_THROWS_WITH(readBytes(folder / "none"), doctest::Contains((folder / "none").c_str()));
}

TEST_CASE("files: a full disk keeps the old file and leaves no partial one") {
  const test::TemporaryFolder folder("files");
  writeText(folder / "result", "old");
  const std::string large(1 << 20, 'x');
  {
    const FileSizeLimit limit(4096);
    CHECK(kindOf([&] { writeText(folder / "result", large); }) == ErrorKind::kRuntime);
    CHECK(kindOf([&] { writeText(folder / "new", large); }) == ErrorKind::kRuntime);
    // Small enough to sit in a buffer: the failure shows only on closing.
    const FileSizeLimit nothing(0);
    CHECK(kindOf([&] { writeText(folder / "result", "tiny"); }) == ErrorKind::kRuntime);
  }
  CHECK(readText(folder / "result") == "old");
  CHECK(countFiles(folder.path()) == 1);
}

TEST_CASE("files: a folder that does not exist is a runtime error") {
  const test::TemporaryFolder folder("files");
  CHECK(kindOf([&] { writeText(folder.path() / "no" / "file", "x"); }) == ErrorKind::kRuntime);
  CHECK(kindOf([&] { writeText(folder.path(), "x"); }) == ErrorKind::kRuntime);
}

TEST_CASE("sha256: the vectors of NIST") {
  CHECK(sha256({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256(bytesOf("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256(bytesOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(bytesOf(std::string(1'000'000, 'a'))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
