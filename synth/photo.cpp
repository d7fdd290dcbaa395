#include "synth/photo.h"

#include <algorithm>
#include <array>
#include <numbers>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace facet::synth {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

cv::Mat asMat(ImageF& image) { return {image.height(), image.width(), CV_32FC3, image.data()}; }

const std::array<float, 256>& linearTable() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> t{};
    for (int i = 0; i < 256; ++i) t[i] = linearFromSrgb(i / 255.0F);
    return t;
  }();
  return table;
}

// sRGB of [0, 1] in 4096 steps.
const std::array<float, 4097>& srgbTable() {
  static const std::array<float, 4097> table = [] {
    std::array<float, 4097> t{};
    for (int i = 0; i <= 4096; ++i) t[i] = srgbFromLinear(i / 4096.0F);
    return t;
  }();
  return table;
}

}  // namespace

Image8 photoPiece(const Image8& photo, int size, Random& random) {
  const int shorter = std::min(photo.width(), photo.height());
  const int side = std::max(32, static_cast<int>(shorter * random.range(0.35F, 1.0F)));
  const int x0 = random.pick(photo.width() - side + 1), y0 = random.pick(photo.height() - side + 1);
  const cv::Mat source(photo.height(), photo.width(), CV_8UC3, const_cast<std::uint8_t*>(photo.data()));
  Image8 piece(size, size, 3);
  cv::Mat target(size, size, CV_8UC3, piece.data());
  cv::resize(source(cv::Rect(x0, y0, side, side)), target, target.size(), 0, 0,
             side > size ? cv::INTER_AREA : cv::INTER_LINEAR);
  if (random.chance(0.5F)) cv::flip(target, target, 1);
  return piece;
}

ImageF makeBackground(const Assets& assets, int size, Random& random) {
  ImageF image(size, size, 3);
  const float kind = random.uniform();
  if (kind < 0.42F) {
    const Image8 piece = photoPiece(
        assets.backgrounds[random.pick(static_cast<int>(assets.backgrounds.size()))], size, random);
    const Eigen::Vector3f gain = random.colour(0.75F, 1.25F) * random.logNormal(0.4F);
    for (std::size_t i = 0; i < image.size(); ++i)
      image.data()[i] = linearTable()[piece.data()[i]] * gain[i % 3];
  } else if (kind < 0.62F) {
    const ImageF& environment =
        assets.environments[random.pick(static_cast<int>(assets.environments.size()))];
    const float gain = 0.5F * random.logNormal(0.6F), fov = random.range(0.3F, 1.2F);
    const Eigen::Matrix3f turn = (Eigen::AngleAxisf(random.range(-kPi, kPi), Eigen::Vector3f::UnitY()) *
                                  Eigen::AngleAxisf(0.2F * random.normal(), Eigen::Vector3f::UnitX()))
                                     .toRotationMatrix();
    // The maps are coarse: a few of their texels fill the picture.
    const int coarse = std::max(16, size / 4);
    cv::Mat sampled(coarse, coarse, CV_32FC3);
    for (int y = 0; y < coarse; ++y) {
      for (int x = 0; x < coarse; ++x) {
        const Eigen::Vector3f ray(((2.0F * x + 1) / coarse - 1) * fov, ((2.0F * y + 1) / coarse - 1) * fov,
                                  1);
        Eigen::Map<Eigen::Vector3f>(sampled.ptr<float>(y) + 3 * x) =
            (sampleEnvironment(environment, turn * ray.normalized()) * gain).cwiseMin(3.0F);
      }
    }
    cv::Mat mat = asMat(image);
    cv::resize(sampled, mat, mat.size(), 0, 0, cv::INTER_LINEAR);
  } else {
    Eigen::Vector3f a = random.colour(0, 0.9F).array().square();
    Eigen::Vector3f b = random.colour(0, 0.9F).array().square();
    if (random.chance(0.5F)) b = a;
    if (random.chance(0.75F)) {  // walls are rarely of a strong colour
      const float keep = random.range(0, 0.6F);
      a = (Eigen::Vector3f::Constant(a.mean()) * (1 - keep) + a * keep).eval();
      b = (Eigen::Vector3f::Constant(b.mean()) * (1 - keep) + b * keep).eval();
    }
    const Eigen::Vector3f glow = random.chance(0.5F) ? Eigen::Vector3f(random.colour(0.1F, 0.4F))
                                                     : Eigen::Vector3f(Eigen::Vector3f::Zero());
    const float angle = random.range(0, 2 * kPi), cx = random.uniform(), cy = random.uniform(),
                spread = random.range(2, 8);
    const float texture = random.chance(0.5F) ? random.range(0, 0.3F) : 0.0F,
                grain = random.range(0.01F, 0.1F);
    const auto seed = static_cast<std::uint32_t>(random.bits());
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const float u = (x + 0.5F) / size - cx, v = (y + 0.5F) / size - cy;
        const float t = smoothStep(-0.7F, 0.7F, u * std::cos(angle) + v * std::sin(angle));
        const float n = texture > 0 ? 1 + texture * valueNoise({x * grain, y * grain, 0}, seed) : 1.0F;
        Eigen::Map<Eigen::Vector3f>(image.at(x, y)) =
            (a + (b - a) * t + glow * std::exp(-spread * (u * u + v * v))) * n;
      }
    }
    // Furniture, window frames, lamps: boxes.
    cv::Mat mat = asMat(image);
    for (int i = random.chance(0.5F) ? random.pick(7) : 0; i > 0; --i) {
      const Eigen::Vector3f c = random.colour(0, 0.9F).array().square();
      const cv::Point p(random.pick(size), random.pick(size));
      const cv::Rect box(p.x, p.y, 4 + random.pick(size / 2), 4 + random.pick(size));
      cv::rectangle(mat, box, cv::Scalar(c.x(), c.y(), c.z()), cv::FILLED);
    }
  }
  if (random.chance(0.7F)) {
    cv::Mat mat = asMat(image);
    const float sigma = size / 320.0F * random.range(1, 14);
    // What is blurred needs few pixels.
    const int factor = std::max(1, static_cast<int>(sigma / 2));
    if (factor == 1) {
      cv::GaussianBlur(mat, mat, cv::Size(), sigma, sigma, cv::BORDER_REFLECT);
    } else {
      cv::Mat coarse;
      const int side = (size + factor - 1) / factor;
      cv::resize(mat, coarse, cv::Size(side, side), 0, 0, cv::INTER_AREA);
      cv::GaussianBlur(coarse, coarse, cv::Size(), sigma / factor, sigma / factor, cv::BORDER_REFLECT);
      cv::resize(coarse, mat, mat.size(), 0, 0, cv::INTER_CUBIC);
    }
  }
  return image;
}

Photo takePhoto(ImageF linear, Random& random) {
  const int size = linear.width();
  cv::Mat mat = asMat(linear);

  // About a third of the pictures is spoilt in some way; the others stay sharp.
  const bool spoilt = random.chance(0.34F);
  if (spoilt && random.chance(0.4F)) {  // low resolution or focus missed
    const float factor = random.range(0.25F, 0.8F);
    cv::Mat coarse;
    cv::resize(mat, coarse, cv::Size(), factor, factor, cv::INTER_AREA);
    cv::resize(coarse, mat, mat.size(), 0, 0, random.chance(0.5F) ? cv::INTER_LINEAR : cv::INTER_CUBIC);
  }
  if (spoilt && random.chance(0.5F)) {
    const float sigma = std::abs(random.normal()) * 0.8F + 0.2F;
    cv::GaussianBlur(mat, mat, cv::Size(), sigma, sigma, cv::BORDER_REFLECT);
  }
  if (spoilt && random.chance(0.2F)) {  // motion
    const int length = 3 + random.pick(6);
    cv::Mat kernel = cv::Mat::zeros(length | 1, length | 1, CV_32F);
    const float angle = random.range(0, kPi);
    const float half = length / 2.0F;
    for (float t = -half; t <= half; t += 0.25F) {
      const int kx =
          std::clamp(static_cast<int>(std::lround(half + t * std::cos(angle))), 0, kernel.cols - 1);
      const int ky =
          std::clamp(static_cast<int>(std::lround(half + t * std::sin(angle))), 0, kernel.rows - 1);
      kernel.at<float>(ky, kx) += 1;
    }
    cv::filter2D(mat, mat, -1, kernel / cv::sum(kernel)[0]);
  }

  const float exposure = random.logNormal(0.2F);
  const Eigen::Vector3f cast =
      random.chance(0.2F) ? Eigen::Vector3f(random.colour(0.8F, 1.2F)) : Eigen::Vector3f::Ones();
  const float shot = spoilt && random.chance(0.7F) ? 0.03F * random.uniform() * random.uniform() : 0.0F;
  const float read = spoilt || random.chance(0.3F) ? 0.012F * random.uniform() * random.uniform() : 0.0F;
  const float contrast = random.range(-0.1F, 0.45F),
              lift = random.chance(0.2F) ? random.range(0, 0.08F) : 0.0F;
  const float saturation = random.chance(0.04F) ? 0.0F : random.range(0.7F, 1.25F);
  // Tone curve of [0, kBrightest): highlights roll off instead of clipping.
  constexpr int kSteps = 4096;
  constexpr float kBrightest = 2.5F;
  std::vector<float> tone(static_cast<std::size_t>(kSteps * kBrightest) + 1);
  for (std::size_t i = 0; i < tone.size(); ++i) {
    float v = (static_cast<float>(i) + 0.5F) / kSteps;
    v = v < 0.7F ? v : 0.7F + 0.3F * (1 - std::exp(-(v - 0.7F) / 0.3F));
    v = srgbTable()[static_cast<int>(std::min(v, 1.0F) * 4096)];
    v += contrast * (v * v * (3 - 2 * v) - v);
    tone[i] = (lift + v * (1 - lift)) * 255;
  }
  const Eigen::Vector3f gain = cast * exposure;
  Image8 image(size, size, 3);
  for (int i = 0; i < size * size; ++i) {
    Eigen::Vector3f colour = Eigen::Map<const Eigen::Vector3f>(linear.data() + 3 * i).cwiseProduct(gain);
    colour = colour.cwiseMax(0.0F);
    if (shot + read > 0) {
      for (float& v : colour)
        v = std::max(0.0F, v + std::sqrt(shot * shot * v + read * read) * random.roughNormal());
    }
    for (float& v : colour) v = tone[static_cast<std::size_t>(std::min(v, kBrightest) * kSteps)];
    const float grey = 0.3F * colour[0] + 0.59F * colour[1] + 0.11F * colour[2];
    for (int c = 0; c < 3; ++c) {
      image.data()[3 * i + c] =
          static_cast<std::uint8_t>(std::clamp(grey + (colour[c] - grey) * saturation, 0.0F, 255.0F) + 0.5F);
    }
  }
  if (spoilt ? random.chance(0.7F) : random.chance(0.15F)) {
    cv::Mat rgb(size, size, CV_8UC3, image.data());
    std::vector<std::uint8_t> bytes;
    cv::Mat bgr;
    cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
    cv::imencode(".jpg", bgr, bytes, {cv::IMWRITE_JPEG_QUALITY, 25 + random.pick(72)});
    cv::cvtColor(cv::imdecode(bytes, cv::IMREAD_COLOR), rgb, cv::COLOR_BGR2RGB);
  }
  return {std::move(image), gain};
}

}  // namespace facet::synth
