#include "core/io/hdf5_file.h"

#include <zlib.h>

#include <memory>
#include <sstream>
#include <string_view>

namespace facet {
namespace {

constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};

// Header message types and classes, sections IV.A.2 and IV.A.2.d of the format.
enum : std::uint16_t {
  kDataspace = 0x01,
  kLinkInfo = 0x02,
  kDatatype = 0x03,
  kLink = 0x06,
  kLayout = 0x08,
  kFilters = 0x0B,
  kContinuation = 0x10,
  kSymbolTable = 0x11,
};
enum : std::uint16_t { kDeflate = 1, kShuffle = 2, kFletcher32 = 3 };
enum class LayoutKind { kCompact, kContiguous, kChunked };
enum class ChunkIndex { kTree, kSingle, kImplicit, kFixedArray };

std::uint64_t ceilDiv(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

void expectSignature(ByteReader& reader, std::string_view signature) {
  const ByteSpan found = reader.take(signature.size());
  require(std::equal(signature.begin(), signature.end(), found.begin()), "is damaged: no \"", signature,
          "\" where one should be");
}

std::string textOf(ByteSpan bytes) {
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  return {text, strnlen(text, bytes.size())};
}

// Exactly `size` bytes out of a zlib stream.
void unpack(ByteSpan packed, std::uint8_t* to, std::uint64_t size) {
  z_stream stream{};
  require(inflateInit(&stream) == Z_OK, "cannot be unpacked: zlib does not start");
  stream.next_in = const_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = to;
  stream.avail_out = static_cast<uInt>(size);
  const int state = inflate(&stream, Z_FINISH);
  const bool whole =
      (state == Z_STREAM_END || state == Z_BUF_ERROR || state == Z_OK) && stream.avail_out == 0;
  inflateEnd(&stream);
  require(whole, "holds a compressed chunk that is damaged or cut off");
}

// The bytes of one kind stand together: first all first bytes, then all second ones.
void unshuffle(const std::uint8_t* from, std::uint8_t* to, std::uint64_t size, std::size_t item) {
  const std::uint64_t count = size / item;
  for (std::size_t byte = 0; byte < item; ++byte) {
    for (std::uint64_t i = 0; i < count; ++i) to[i * item + byte] = from[byte * count + i];
  }
  std::copy(from + count * item, from + size, to + count * item);
}

}  // namespace

struct Hdf5File::Message {
  std::uint16_t type;
  bool shared;
  ByteSpan data;
};

struct Hdf5File::Chunk {
  std::uint64_t address, size;
  std::uint32_t skipped_filters;
  std::array<std::uint64_t, 2> first;  // its first row and column
};

struct Hdf5File::Dataset {
  std::vector<std::uint64_t> shape;
  std::size_t item = 0;  // bytes
  NumberType number;     // of size 0 when the items are strings
  bool variable_length_text = false;

  LayoutKind layout = LayoutKind::kContiguous;
  std::uint64_t address = 0, size = 0;  // contiguous: the bytes; chunked: the index
  ByteSpan compact;
  ChunkIndex index = ChunkIndex::kTree;
  std::vector<std::uint64_t> chunk_shape;
  std::uint64_t single_chunk_size = 0;  // stored bytes, when filtered
  std::uint32_t single_chunk_skipped_filters = 0;
  std::vector<std::uint16_t> filters;

  std::uint64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  std::uint64_t columns() const { return shape.size() < 2 ? 1 : shape[1]; }
  std::uint64_t chunkRows() const { return chunk_shape.empty() ? 1 : chunk_shape[0]; }
  std::uint64_t chunkColumns() const { return chunk_shape.size() < 2 ? 1 : chunk_shape[1]; }
  std::uint64_t chunkBytes() const { return chunkRows() * chunkColumns() * item; }
  bool has(std::uint16_t filter) const {
    return std::find(filters.begin(), filters.end(), filter) != filters.end();
  }
};

bool Hdf5File::isHdf5(ByteSpan file) {
  for (std::size_t base = 0; base + kSignature.size() <= file.size(); base = base == 0 ? 512 : 2 * base) {
    if (std::equal(kSignature.begin(), kSignature.end(), file.begin() + static_cast<std::ptrdiff_t>(base)))
      return true;
  }
  return false;
}

Hdf5File::Hdf5File(ByteSpan file) {
  require(isHdf5(file), "is not an HDF5 file");
  std::size_t base = 0;
  while (!std::equal(kSignature.begin(), kSignature.end(), file.begin() + static_cast<std::ptrdiff_t>(base)))
    base = base == 0 ? 512 : 2 * base;
  file_ = file.subspan(base);

  ByteReader reader = at(kSignature.size());
  const auto version = reader.number<std::uint8_t>();
  require(version <= 3, "is HDF5 with a superblock of version ", int{version}, "; up to 3 can be read");
  if (version <= 1) reader.skip(4);
  offset_size_ = reader.number<std::uint8_t>();
  length_size_ = reader.number<std::uint8_t>();
  const auto usual = [](std::size_t size) { return size == 4 || size == 8; };
  require(usual(offset_size_) && usual(length_size_), "is HDF5 with addresses of ", offset_size_,
          " bytes; 4 and 8 can be read");
  reader.skip(version == 0 ? 9 : version == 1 ? 13 : 1);
  offset(reader);  // base address: that of the signature
  offset(reader);  // free space or extension
  const std::uint64_t end = offset(reader);
  require(end <= file.size(), "is cut off: ", file.size(), " bytes, ", end,
          " expected; download or copy it again");
  if (version <= 1) {
    offset(reader);  // driver information
    offset(reader);  // the root's name
  }
  root_ = offset(reader);
}

ByteReader Hdf5File::at(std::uint64_t address) const {
  require(address <= file_.size(), "is damaged: it points ", address, " bytes into itself and has ",
          file_.size());
  return ByteReader(file_.subspan(address));
}

bool Hdf5File::isDefined(std::uint64_t address) const {
  return address != (offset_size_ == 8 ? ~std::uint64_t{0} : 0xFFFFFFFFU);
}

// The messages of an object header of version 1 or 2 and of its continuations.
std::vector<Hdf5File::Message> Hdf5File::messages(std::uint64_t object) const {
  std::vector<Message> messages;
  ByteReader reader = at(object);
  const bool is_version_2 = reader.left() >= 4 && std::memcmp(file_.data() + object, "OHDR", 4) == 0;
  std::vector<ByteSpan> blocks;
  bool has_creation_order = false;
  if (is_version_2) {
    reader.skip(5);
    const auto flags = reader.number<std::uint8_t>();
    if (flags & 0x20) reader.skip(16);
    if (flags & 0x10) reader.skip(4);
    has_creation_order = (flags & 0x04) != 0;
    blocks.push_back(reader.take(reader.unsignedNumber(std::size_t{1} << (flags & 3))));
  } else {
    require(reader.number<std::uint8_t>() == 1, "is damaged: an object header of unknown version");
    reader.skip(7);
    const auto size = reader.number<std::uint32_t>();
    reader.skip(4);
    blocks.push_back(reader.take(size));
  }
  std::uint64_t total = 0;  // continuations may not run in a circle
  for (std::size_t block = 0; block < blocks.size(); ++block) {
    total += blocks[block].size();
    require(total <= file_.size(), "is damaged: an object header contains itself");
    ByteReader inside(blocks[block]);
    const std::size_t head = is_version_2 ? (has_creation_order ? 6 : 4) : 8;
    while (inside.left() >= head) {
      Message message{};
      message.type = is_version_2 ? inside.number<std::uint8_t>() : inside.number<std::uint16_t>();
      const auto size = inside.number<std::uint16_t>();
      message.shared = (inside.number<std::uint8_t>() & 2) != 0;
      inside.skip(is_version_2 ? (has_creation_order ? 2 : 0) : 3);
      message.data = inside.take(size);
      if (message.type != kContinuation) {
        messages.push_back(message);
        continue;
      }
      ByteReader where(message.data);
      const std::uint64_t address = offset(where), bytes = length(where);
      ByteReader next = at(address);
      if (is_version_2) {
        expectSignature(next, "OCHK");
        require(bytes >= 8, "is damaged: an empty continuation");
        blocks.push_back(next.take(bytes - 8));  // without signature and checksum
      } else {
        require(bytes >= 8, "is damaged: an empty continuation");
        blocks.push_back(next.take(bytes));
      }
    }
  }
  return messages;
}

// Names and object addresses below a node of a group's version 1 B-tree.
void Hdf5File::addSymbolTable(std::uint64_t node, ByteSpan names, int level, std::size_t& nodes_left,
                              std::vector<std::pair<std::string, std::uint64_t>>& links) const {
  require(nodes_left-- > 0, "is damaged: a group contains itself");
  ByteReader reader = at(node);
  if (level == 0) {
    expectSignature(reader, "SNOD");
    reader.skip(2);
    const auto count = reader.number<std::uint16_t>();
    for (int i = 0; i < count; ++i) {
      const std::uint64_t name = offset(reader), object = offset(reader);
      const auto cache_type = reader.number<std::uint32_t>();
      reader.skip(20);
      require(name <= names.size(), "is damaged: a name lies outside of its heap");
      if (cache_type != 2) links.emplace_back(textOf(names.subspan(name)), object);  // 2: symbolic link
    }
    return;
  }
  expectSignature(reader, "TREE");
  require(reader.number<std::uint8_t>() == 0, "is damaged: a tree of chunks where a group should be");
  const int own_level = reader.number<std::uint8_t>();
  require(level < 0 || own_level == level - 1, "is damaged: a tree whose levels do not descend");
  const auto count = reader.number<std::uint16_t>();
  offset(reader), offset(reader);  // siblings
  for (int i = 0; i < count; ++i) {
    length(reader);  // key
    // A node of level 0 holds symbol nodes: the next call sees them as level 0, trees as their level plus 1.
    addSymbolTable(offset(reader), names, own_level, nodes_left, links);
  }
}

std::vector<std::pair<std::string, std::uint64_t>> Hdf5File::links(std::uint64_t group) const {
  std::vector<std::pair<std::string, std::uint64_t>> links;
  for (const Message& message : messages(group)) {
    ByteReader reader(message.data);
    if (message.type == kSymbolTable) {
      const std::uint64_t tree = offset(reader);
      ByteReader heap = at(offset(reader));
      expectSignature(heap, "HEAP");
      heap.skip(4);
      const std::uint64_t size = length(heap);
      length(heap);
      const ByteSpan names = at(offset(heap)).take(size);
      std::size_t nodes_left = file_.size() / 24 + 1;
      addSymbolTable(tree, names, -1, nodes_left, links);
    } else if (message.type == kLinkInfo) {
      reader.skip(1);
      if (reader.number<std::uint8_t>() & 1) reader.skip(8);
      require(!isDefined(offset(reader)),
              "is HDF5 with a group stored in the \"dense\" form, which cannot be read here; convert it: "
              "h5repack --low=0 --high=0 IN.h5 OUT.h5");
    } else if (message.type == kLink) {
      reader.skip(1);
      const auto flags = reader.number<std::uint8_t>();
      const int kind = flags & 0x08 ? reader.number<std::uint8_t>() : 0;
      if (flags & 0x04) reader.skip(8);
      if (flags & 0x10) reader.skip(1);
      const ByteSpan name = reader.take(reader.unsignedNumber(std::size_t{1} << (flags & 3)));
      if (kind == 0) links.emplace_back(std::string(name.begin(), name.end()), offset(reader));
    }
  }
  return links;
}

std::optional<std::uint64_t> Hdf5File::find(const std::string& path) const {
  std::uint64_t object = root_;
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '/');) {
    if (part.empty()) continue;
    const auto children = links(object);
    const auto found = std::find_if(children.begin(), children.end(),
                                    [&part](const auto& link) { return link.first == part; });
    if (found == children.end()) return std::nullopt;
    object = found->second;
  }
  return object;
}

std::uint64_t Hdf5File::get(const std::string& path) const {
  const auto object = find(path);
  require(object.has_value(), "has no \"", path, "\"");
  return *object;
}

bool Hdf5File::has(const std::string& path) const { return find(path).has_value(); }

bool Hdf5File::isGroup(const std::string& path) const {
  const std::vector<Message> all = messages(get(path));
  return std::none_of(all.begin(), all.end(), [](const Message& message) { return message.type == kLayout; });
}

std::vector<std::string> Hdf5File::names(const std::string& group) const {
  std::vector<std::string> names;
  for (const auto& link : links(get(group))) names.push_back(link.first);
  return names;
}

std::vector<std::int64_t> Hdf5File::shape(const std::string& path) const {
  const Dataset data = dataset(path);
  return {data.shape.begin(), data.shape.end()};
}

Hdf5File::Dataset Hdf5File::dataset(const std::string& path) const {
  Dataset data;
  bool has_space = false, has_type = false, has_layout = false;
  for (const Message& message : messages(get(path))) {
    ByteReader reader(message.data);
    const bool is_needed = message.type == kDataspace || message.type == kDatatype ||
                           message.type == kLayout || message.type == kFilters;
    require(!is_needed || !message.shared, "its \"", path,
            "\" has a type that is stored elsewhere in the file");
    if (message.type == kDataspace) {
      has_space = true;
      const int version = reader.number<std::uint8_t>();
      const int rank = reader.number<std::uint8_t>();
      require(version == 1 || version == 2, "its \"", path, "\" has a dataspace of unknown version ",
              version);
      reader.skip(version == 1 ? 6 : 2);
      require(rank <= 8, "its \"", path, "\" has ", rank, " dimensions");
      for (int i = 0; i < rank; ++i) data.shape.push_back(length(reader));
    } else if (message.type == kDatatype) {
      has_type = true;
      const int type_class = reader.number<std::uint8_t>() & 0x0F;
      const auto bits = reader.number<std::uint8_t>();
      reader.skip(2);
      data.item = reader.number<std::uint32_t>();
      if (type_class == 0) data.number = {bits & 8 ? 'i' : 'u', data.item, (bits & 1) != 0};
      if (type_class == 1) data.number = {'f', data.item, (bits & 1) != 0};
      if (type_class == 9) data.variable_length_text = (bits & 0x0F) == 1;
      require(data.number.size > 0 || type_class == 3 || type_class == 5 || data.variable_length_text,
              "its \"", path, "\" holds neither numbers nor text");
    } else if (message.type == kFilters) {
      const int version = reader.number<std::uint8_t>();
      const int count = reader.number<std::uint8_t>();
      if (version == 1) reader.skip(6);
      for (int i = 0; i < count; ++i) {
        const auto filter = reader.number<std::uint16_t>();
        const std::size_t name = version == 1 || filter >= 256 ? reader.number<std::uint16_t>() : 0;
        reader.skip(2);
        const auto values = reader.number<std::uint16_t>();
        reader.skip(version == 1 ? (name + 7) / 8 * 8 : name);
        reader.skip(std::uint64_t{4} * values);
        if (version == 1 && values % 2 != 0) reader.skip(4);
        require(filter == kDeflate || filter == kShuffle || filter == kFletcher32, "its \"", path,
                "\" is packed by HDF5 filter ", filter, "; convert it: h5repack -f GZIP=4 IN.h5 OUT.h5");
        data.filters.push_back(filter);
      }
    } else if (message.type == kLayout) {
      has_layout = true;
      const int version = reader.number<std::uint8_t>();
      require(version >= 1 && version <= 4, "its \"", path, "\" has a layout of unknown version ", version);
      const int rank_of_old = version <= 2 ? reader.number<std::uint8_t>() : 0;
      const int kind = reader.number<std::uint8_t>();
      require(kind <= 2, "its \"", path, "\" is stored in a virtual or unknown way");
      data.layout = static_cast<LayoutKind>(kind);
      if (version <= 2) {
        reader.skip(5);
        if (data.layout != LayoutKind::kCompact) data.address = offset(reader);
        for (int i = 0; i < rank_of_old; ++i) data.chunk_shape.push_back(reader.number<std::uint32_t>());
        if (data.layout == LayoutKind::kCompact) data.compact = reader.take(reader.number<std::uint32_t>());
        data.size = ~std::uint64_t{0};  // that of the dataspace
      } else if (data.layout == LayoutKind::kCompact) {
        data.compact = reader.take(reader.number<std::uint16_t>());
      } else if (data.layout == LayoutKind::kContiguous) {
        data.address = offset(reader);
        data.size = length(reader);
      } else if (version == 3) {
        const int rank = reader.number<std::uint8_t>();
        data.address = offset(reader);
        for (int i = 0; i < rank; ++i) data.chunk_shape.push_back(reader.number<std::uint32_t>());
      } else {
        const auto flags = reader.number<std::uint8_t>();
        const int rank = reader.number<std::uint8_t>();
        const std::size_t width = reader.number<std::uint8_t>();
        require(width >= 1 && width <= 8, "its \"", path, "\" has a damaged layout");
        for (int i = 0; i < rank; ++i) data.chunk_shape.push_back(reader.unsignedNumber(width));
        const int index = reader.number<std::uint8_t>();
        require(index >= 1 && index <= 3, "its \"", path, "\" has a chunk index of kind ", index,
                ", which cannot be read here; convert it: h5repack --low=0 --high=0 IN.h5 OUT.h5");
        data.index = static_cast<ChunkIndex>(index);
        if (data.index == ChunkIndex::kSingle && (flags & 2)) {
          data.single_chunk_size = length(reader);
          data.single_chunk_skipped_filters = reader.number<std::uint32_t>();
        }
        if (data.index == ChunkIndex::kFixedArray) reader.skip(1);
        data.address = offset(reader);
      }
      // The last entry of a chunk's shape is the size of an item.
      if (data.layout != LayoutKind::kChunked) {
        data.chunk_shape.clear();
      } else {
        require(data.chunk_shape.size() >= 2, "its \"", path, "\" has a damaged layout");
        data.chunk_shape.pop_back();
      }
    }
  }
  require(has_space && has_type && has_layout, "its \"", path, "\" is not an array");
  require(data.item > 0 && data.item <= 1U << 20, "its \"", path, "\" has items of ", data.item, " bytes");
  require(data.layout != LayoutKind::kChunked || data.chunk_shape.size() == data.shape.size(), "its \"", path,
          "\" has chunks of ", data.chunk_shape.size(), " dimensions for ", data.shape.size());
  return data;
}

// The chunks below a node of a version 1 B-tree.
void Hdf5File::addChunks(std::uint64_t node, std::size_t rank, int level, std::size_t& nodes_left,
                         std::vector<Chunk>& chunks) const {
  require(nodes_left-- > 0, "is damaged: a tree of chunks contains itself");
  ByteReader reader = at(node);
  expectSignature(reader, "TREE");
  require(reader.number<std::uint8_t>() == 1, "is damaged: a group where a tree of chunks should be");
  const int own_level = reader.number<std::uint8_t>();
  require(level < 0 || own_level == level, "is damaged: a tree whose levels do not descend");
  const auto count = reader.number<std::uint16_t>();
  offset(reader), offset(reader);  // siblings
  for (int i = 0; i < count; ++i) {
    Chunk chunk{};
    chunk.size = reader.number<std::uint32_t>();
    chunk.skipped_filters = reader.number<std::uint32_t>();
    for (std::size_t d = 0; d < rank; ++d) chunk.first[d] = reader.number<std::uint64_t>();
    reader.skip(8);  // within an item
    const std::uint64_t child = offset(reader);
    if (own_level > 0) {
      addChunks(child, rank, own_level - 1, nodes_left, chunks);
    } else {
      require(nodes_left-- > 0, "is damaged: a tree of chunks contains itself");
      chunk.address = child;
      chunks.push_back(chunk);
    }
  }
}

std::vector<Hdf5File::Chunk> Hdf5File::fixedArrayChunks(const Dataset& data, std::uint64_t count) const {
  ByteReader header = at(data.address);
  expectSignature(header, "FAHD");
  header.skip(1);
  const bool filtered = header.number<std::uint8_t>() == 1;
  const std::size_t entry = header.number<std::uint8_t>();
  const int page_bits = header.number<std::uint8_t>();
  require(length(header) >= count && page_bits < 32, "is damaged: a chunk index is too short");
  require(!filtered || (entry > offset_size_ + 4 && entry <= offset_size_ + 12), "is damaged: a chunk index");
  ByteReader block = at(offset(header));
  expectSignature(block, "FADB");
  block.skip(2 + offset_size_);
  const std::uint64_t page = std::uint64_t{1} << page_bits;
  const bool paged = count > page;
  if (paged) block.skip(ceilDiv(ceilDiv(count, page), 8) + 4);  // which pages are in use, checksum
  std::vector<Chunk> chunks;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (paged && i > 0 && i % page == 0) block.skip(4);  // a page's checksum
    Chunk chunk{};
    chunk.address = offset(block);
    chunk.size = data.chunkBytes();
    if (filtered) {
      chunk.size = block.unsignedNumber(entry - offset_size_ - 4);
      chunk.skipped_filters = block.number<std::uint32_t>();
    }
    chunks.push_back(chunk);
  }
  return chunks;
}

// All chunks of a dataset of up to two dimensions; checked to lie in the file, to be of possible sizes and to
// cover the array exactly once.
std::vector<Hdf5File::Chunk> Hdf5File::chunksOf(const Dataset& data) const {
  constexpr std::uint64_t kMax = 1U << 31;
  require(data.rows() < kMax && data.columns() < kMax, "is damaged: an array of impossible size");
  for (const std::uint64_t length : data.chunk_shape)
    require(length > 0 && length < kMax, "is damaged: chunks of impossible size");
  require(data.chunkRows() * data.chunkColumns() < kMax && data.chunkBytes() < 2 * kMax,
          "is damaged: chunks of impossible size");
  const std::uint64_t grid_columns = ceilDiv(data.columns(), data.chunkColumns());
  const std::uint64_t count = ceilDiv(data.rows(), data.chunkRows()) * grid_columns;
  if (count == 0) return {};
  require(isDefined(data.address), "is incomplete: an array was never written");
  require(count <= file_.size(), "is damaged: more chunks than bytes");

  std::vector<Chunk> chunks;
  if (data.index == ChunkIndex::kTree) {
    std::size_t nodes_left = file_.size() / 24 + 1;
    addChunks(data.address, data.shape.size(), -1, nodes_left, chunks);
  } else if (data.index == ChunkIndex::kFixedArray) {
    chunks = fixedArrayChunks(data, count);
  } else if (data.index == ChunkIndex::kSingle) {
    chunks.push_back({data.address,
                      data.single_chunk_size ? data.single_chunk_size : data.chunkBytes(),
                      data.single_chunk_skipped_filters,
                      {}});
  } else {
    require(data.chunkBytes() <= file_.size() / count, "is cut off or damaged: chunks are missing");
    for (std::uint64_t i = 0; i < count; ++i)
      chunks.push_back({data.address + i * data.chunkBytes(), data.chunkBytes(), 0, {}});
  }
  require(chunks.size() == count, "is incomplete: ", chunks.size(), " chunks of an array of ", count);

  std::vector<bool> seen(count);
  std::uint64_t stored = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    Chunk& chunk = chunks[i];
    if (data.index != ChunkIndex::kTree)
      chunk.first = {i / grid_columns * data.chunkRows(), i % grid_columns * data.chunkColumns()};
    const bool inside = chunk.first[0] < data.rows() && chunk.first[1] < data.columns() &&
                        chunk.first[0] % data.chunkRows() == 0 && chunk.first[1] % data.chunkColumns() == 0;
    require(inside, "is damaged: a chunk lies outside of its array");
    const std::uint64_t cell =
        chunk.first[0] / data.chunkRows() * grid_columns + chunk.first[1] / data.chunkColumns();
    require(!seen[cell], "is damaged: a chunk is stored twice");
    seen[cell] = true;
    require(chunk.size <= at(chunk.address).left(), "is cut off or damaged: a chunk passes its end");
    stored += chunk.size;
    require(stored <= file_.size(), "is damaged: chunks overlap");
  }
  return chunks;
}

// Puts rectangles of stored items to their places in the matrix.
class Hdf5File::MatrixWriter {
 public:
  MatrixWriter(const Dataset& data, bool transposed, Eigen::MatrixXf& matrix) : data_(data) {
    const auto rows = static_cast<Eigen::Index>(data.rows()),
               columns = static_cast<Eigen::Index>(data.columns());
    // The memory is not touched before the numbers come.
    if (transposed) {
      matrix.resize(columns, rows);
    } else {
      matrix.resize(rows, columns);
    }
    to_ = matrix.data();
    row_stride_ = transposed ? columns : 1;
    column_stride_ = transposed ? 1 : rows;
  }

  // Items stand row after row of `stored_columns` from `from` on; those beyond the matrix are left out.
  void write(const std::uint8_t* from, std::uint64_t stored_rows, std::uint64_t stored_columns,
             const std::array<std::uint64_t, 2>& first) const {
    const auto rows = static_cast<Eigen::Index>(std::min(stored_rows, data_.rows() - first[0]));
    const auto columns = static_cast<Eigen::Index>(std::min(stored_columns, data_.columns() - first[1]));
    float* corner = to_ + static_cast<Eigen::Index>(first[0]) * row_stride_ +
                    static_cast<Eigen::Index>(first[1]) * column_stride_;
    withNumberType(data_.number, [&](const auto& load) {
      for (Eigen::Index row = 0; row < rows; ++row) {
        const std::uint8_t* item = from + static_cast<std::uint64_t>(row) * stored_columns * data_.item;
        float* to = corner + row * row_stride_;
        for (Eigen::Index column = 0; column < columns; ++column, item += data_.item)
          to[column * column_stride_] = load(item);
      }
    });
  }

 private:
  const Dataset& data_;
  float* to_;
  Eigen::Index row_stride_, column_stride_;
};

Eigen::MatrixXf Hdf5File::readMatrix(const std::string& path, bool transposed) const {
  const Dataset data = dataset(path);
  require(data.number.size > 0, "its \"", path, "\" does not hold numbers");
  withNumberType(data.number, [](const auto&) {});  // refuses odd sizes before anything else
  require(data.shape.size() <= 2, "its \"", path, "\" has ", data.shape.size(), " dimensions, not 1 or 2");
  const std::uint64_t most = file_.size() * kMaxDeflateRatio;
  require(data.rows() <= most && data.columns() <= most, "its \"", path, "\" says it has ", data.rows(),
          " x ", data.columns(), " numbers: more than the file can hold");
  Eigen::MatrixXf matrix;
  if (data.rows() == 0 || data.columns() == 0) return matrix;
  require(data.rows() <= most / data.columns(), "its \"", path, "\" says it has ", data.rows(), " x ",
          data.columns(), " numbers: more than the file can hold");
  const std::uint64_t bytes = data.rows() * data.columns() * data.item;

  if (data.layout != LayoutKind::kChunked) {
    require(data.layout == LayoutKind::kCompact || isDefined(data.address), "its \"", path,
            "\" was never written");
    const ByteSpan stored = data.layout == LayoutKind::kCompact ? data.compact : at(data.address).take(bytes);
    require(stored.size() >= bytes && (data.layout == LayoutKind::kCompact || data.size >= bytes), "its \"",
            path, "\" is smaller than its shape says; the file is damaged");
    MatrixWriter(data, transposed, matrix).write(stored.data(), data.rows(), data.columns(), {});
    return matrix;
  }

  const std::vector<Chunk> chunks = chunksOf(data);
  std::uint64_t stored = 0;
  for (const Chunk& chunk : chunks) stored += chunk.size;
  const bool packed = data.has(kDeflate);
  require(bytes / (packed ? kMaxDeflateRatio : 1) <= stored, "its \"", path, "\" says it has ", data.rows(),
          " x ", data.columns(), " numbers: more than its chunks can hold");
  const std::uint64_t chunk_bytes = data.chunkBytes();
  std::unique_ptr<std::uint8_t[]> unpacked, unshuffled;
  const MatrixWriter writer(data, transposed, matrix);
  for (const Chunk& chunk : chunks) {
    ByteSpan content = at(chunk.address).take(chunk.size);
    for (std::size_t i = data.filters.size(); i-- > 0;) {
      if (i < 32 && (chunk.skipped_filters >> i & 1)) continue;
      if (data.filters[i] == kFletcher32) {
        require(content.size() >= 4, "its \"", path, "\" has a chunk without its checksum");
        content = content.first(content.size() - 4);
      } else if (data.filters[i] == kDeflate) {
        require(chunk_bytes / kMaxDeflateRatio <= content.size() && content.data() != unpacked.get(),
                "its \"", path, "\" has a chunk that is damaged");
        // Not zeroed: memory that is never filled is never used.
        if (!unpacked) unpacked.reset(new std::uint8_t[chunk_bytes]);
        unpack(content, unpacked.get(), chunk_bytes);
        content = {unpacked.get(), chunk_bytes};
      } else {
        require(content.size() == chunk_bytes && content.data() != unshuffled.get(), "its \"", path,
                "\" has a chunk that is damaged");
        if (!unshuffled) unshuffled.reset(new std::uint8_t[chunk_bytes]);
        unshuffle(content.data(), unshuffled.get(), chunk_bytes, data.item);
        content = {unshuffled.get(), chunk_bytes};
      }
    }
    require(content.size() >= chunk_bytes, "its \"", path, "\" has a chunk of ", content.size(),
            " bytes, not ", chunk_bytes);
    writer.write(content.data(), data.chunkRows(), data.chunkColumns(), chunk.first);
  }
  return matrix;
}

std::string Hdf5File::readText(const std::string& path) const {
  const Dataset data = dataset(path);
  require(data.number.size <= 1 && data.layout != LayoutKind::kChunked, "its \"", path,
          "\" is not a plain text");
  std::uint64_t text_bytes = data.item;
  for (const std::uint64_t length : data.shape) {
    require(length == 1 || data.number.size == 1, "its \"", path, "\" is not one single text");
    require(length <= file_.size(), "its \"", path, "\" is longer than the file");
    text_bytes = std::min<std::uint64_t>(text_bytes * length, file_.size() + 1);
  }
  const ByteSpan stored =
      data.layout == LayoutKind::kCompact ? data.compact : at(data.address).take(text_bytes);
  require(stored.size() >= text_bytes, "its \"", path, "\" is damaged");
  if (!data.variable_length_text) return textOf(stored.first(text_bytes));

  ByteReader reference(stored);
  const auto size = reference.number<std::uint32_t>();
  const std::uint64_t collection = offset(reference);
  const auto wanted = reference.number<std::uint32_t>();
  ByteReader heap = at(collection);
  expectSignature(heap, "GCOL");
  heap.skip(4);
  const std::uint64_t heap_size = length(heap);
  while (heap.position() < heap_size) {
    const auto index = heap.number<std::uint16_t>();
    if (index == 0) break;  // free space
    heap.skip(6);
    const std::uint64_t bytes = length(heap);
    const ByteSpan content = heap.take(bytes);
    if (index == wanted) {
      require(size <= content.size(), "its \"", path, "\" is cut off");
      return {content.begin(), content.begin() + size};
    }
    heap.skip(std::min<std::uint64_t>((8 - bytes % 8) % 8, heap.left()));
  }
  require(false, "its \"", path, "\" is not where the file says");
  return {};
}

}  // namespace facet
