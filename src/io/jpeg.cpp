// decode_jpeg, through libjpeg-turbo.
#include <cstdio>  // jpeglib.h needs it

#include <jpeglib.h>

#include <array>
#include <csetjmp>

#include "src/io/exif.h"
#include "src/io/image_decoders.h"
#include "src/io/luminance.h"

namespace gpuvae::io {
namespace {

// Everything that must survive a longjmp of libjpeg's error handler. A longjmp skips destructors, so the
// functions that call setjmp, and the handlers, have no objects with a destructor.
struct JpegDecoder {
  JpegDecoder() = default;
  ~JpegDecoder() { jpeg_destroy_decompress(&info); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  std::array<char, JMSG_LENGTH_MAX> reason{};
};

[[noreturn]] void leave(j_common_ptr info) {
  std::longjmp(static_cast<JpegDecoder*>(info->client_data)->escape, 1);
}

[[noreturn]] void on_jpeg_error(j_common_ptr info) {
  info->err->format_message(info, static_cast<JpegDecoder*>(info->client_data)->reason.data());
  leave(info);
}

// libjpeg only warns about damaged data, such as a file that ends too early, and invents the missing pixels.
void on_message(j_common_ptr info, int level) {
  if (level < 0) on_jpeg_error(info);
}

// A small file can declare millions of scans of a large image, each of which visits every pixel.
void on_progress(j_common_ptr info) {
  constexpr int kMaxScans = 500;
  auto* decoder = static_cast<JpegDecoder*>(info->client_data);
  if (decoder->info.input_scan_number <= kMaxScans) return;
  std::snprintf(decoder->reason.data(), decoder->reason.size(), "more than %d scans", kMaxScans);
  leave(info);
}

bool read_jpeg_header(JpegDecoder& d, std::string_view bytes) {
  d.info.err = jpeg_std_error(&d.errors);
  d.info.client_data = &d;
  d.errors.error_exit = on_jpeg_error;
  d.errors.emit_message = on_message;
  d.progress.progress_monitor = on_progress;
  if (setjmp(d.escape)) return false;
  jpeg_create_decompress(&d.info);
  d.info.progress = &d.progress;
  jpeg_mem_src(&d.info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&d.info, JPEG_APP0 + 1, 0xFFFF);  // EXIF
  jpeg_read_header(&d.info, TRUE);
  return true;
}

// Reads all rows, and then the file up to the end marker of the image.
bool read_jpeg_rows(JpegDecoder& d, std::uint8_t* samples) {
  if (setjmp(d.escape)) return false;
  jpeg_start_decompress(&d.info);
  const std::size_t row_bytes =
      std::size_t{d.info.output_width} * static_cast<unsigned>(d.info.output_components);
  while (d.info.output_scanline < d.info.output_height) {
    JSAMPROW row = samples + d.info.output_scanline * row_bytes;
    jpeg_read_scanlines(&d.info, &row, 1);
  }
  jpeg_finish_decompress(&d.info);
  return true;
}

// Chooses the colour space that libjpeg returns, and returns its number of samples per pixel. The Y of YCbCr
// is the luminance.
std::size_t choose_jpeg_output(const ImageSource& source, jpeg_decompress_struct& info) {
  switch (info.jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_YCbCr:
      info.out_color_space = JCS_GRAYSCALE;
      return 1;
    case JCS_RGB:
      info.out_color_space = JCS_RGB;
      return 3;
    case JCS_CMYK:
    case JCS_YCCK:
      source.require(info.saw_Adobe_marker != 0,
                     "CMYK without Adobe's marker, which says whether 0 is white: convert it to RGB");
      info.out_color_space = JCS_CMYK;
      return 4;
    default:
      source.refuse("{} colour channels of unknown meaning: convert it to RGB", info.num_components);
  }
}

// Adobe's programs store CMYK inverted, so the product of a stored channel (C, M or Y) and the stored K is a
// channel of RGB.
void convert_jpeg(const std::uint8_t* s, std::size_t samples_per_pixel, DecodedImage& out) {
  for (std::uint8_t& pixel : out.image.pixels) {
    const std::uint64_t black = samples_per_pixel == 4 ? s[3] : 255;
    pixel = to_byte(luma(s[0], s[1], s[2]) * black, kLumaOne * 255 * 255);
    s += samples_per_pixel;
  }
}

int orientation_of(const jpeg_decompress_struct& info) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(kExif)) return exif_orientation(data.substr(kExif.size()));
  }
  return 1;
}

}  // namespace

DecodedImage decode_jpeg(const ImageSource& source) {
  // Huffman coding takes at least one bit per block of 8 x 8 samples, and the widest component has at least a
  // quarter as many samples as the image has pixels.
  constexpr std::uint64_t kMaxPixelsPerByte = 8 * 64 * 4;
  JpegDecoder d;
  source.require(read_jpeg_header(d, source.bytes), "{}", d.reason.data());
  source.require(d.info.arith_code == 0, "arithmetic coding is not supported: convert it to baseline JPEG");
  source.check_size(d.info.image_width, d.info.image_height, source.bytes.size() * kMaxPixelsPerByte);
  const std::size_t samples_per_pixel = choose_jpeg_output(source, d.info);
  const int orientation = orientation_of(d.info);  // libjpeg frees the marker after the last row

  DecodedImage out{{static_cast<int>(d.info.image_width), static_cast<int>(d.info.image_height), {}}, {}};
  out.changes.colors = d.info.jpeg_color_space != JCS_GRAYSCALE;
  out.image.pixels.resize(std::size_t{d.info.image_width} * d.info.image_height);
  if (samples_per_pixel == 1) {
    source.require(read_jpeg_rows(d, out.image.pixels.data()), "{}", d.reason.data());
  } else {
    std::vector<std::uint8_t> samples(out.image.pixels.size() * samples_per_pixel);
    source.require(read_jpeg_rows(d, samples.data()), "{}", d.reason.data());
    convert_jpeg(samples.data(), samples_per_pixel, out);
  }
  out.changes.orientation = orientation > 1;
  out.image = oriented(std::move(out.image), orientation);
  return out;
}

}  // namespace gpuvae::io
