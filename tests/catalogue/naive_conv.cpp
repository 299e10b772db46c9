#include "tests/catalogue/naive_conv.h"

namespace tenon::catalogue {

Dims ConvCase::out() const {
  Dims extents;
  for (int i = 0; i < in.rank(); ++i) {
    const int64_t reach = option(options.dilation, i, 1) * (kernel[i] - 1) + 1;
    extents.push_back((in[i] + 2 * option(options.padding, i, 0) - reach) / option(options.stride, i, 1) + 1);
  }
  return extents;
}

std::string ConvCase::label() const {
  return concat("x ", x_shape(), " w ", w_shape(), " stride ", options.stride, " padding ", options.padding,
                " dilation ", options.dilation, " groups ", options.groups);
}

void for_each_product(const ConvCase& c, const std::function<void(int64_t, int64_t, int64_t)>& f) {
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1}, padding[3] = {0, 0, 0}, dilation[3] = {1, 1, 1};
  const Dims extents = c.out();
  for (int i = 0, at = 3 - c.in.rank(); at < 3; ++i, ++at) {
    in[at] = c.in[i], out[at] = extents[i], kernel[at] = c.kernel[i];
    stride[at] = c.option(c.options.stride, i, 1);
    padding[at] = c.option(c.options.padding, i, 0);
    dilation[at] = c.option(c.options.dilation, i, 1);
  }
  const int64_t in_group = c.in_channels / c.options.groups, out_group = c.out_channels / c.options.groups;
  for (int64_t n = 0; n < c.images; ++n)
    for (int64_t o = 0; o < c.out_channels; ++o)
      for (int64_t pd = 0; pd < out[0]; ++pd)
        for (int64_t ph = 0; ph < out[1]; ++ph)
          for (int64_t pw = 0; pw < out[2]; ++pw)
            for (int64_t k = 0; k < in_group; ++k)
              for (int64_t kd = 0; kd < kernel[0]; ++kd)
                for (int64_t kh = 0; kh < kernel[1]; ++kh)
                  for (int64_t kw = 0; kw < kernel[2]; ++kw) {
                    const int64_t id = pd * stride[0] + kd * dilation[0] - padding[0];
                    const int64_t ih = ph * stride[1] + kh * dilation[1] - padding[1];
                    const int64_t iw = pw * stride[2] + kw * dilation[2] - padding[2];
                    if (id < 0 || id >= in[0] || ih < 0 || ih >= in[1] || iw < 0 || iw >= in[2]) continue;
                    const int64_t channel = o / out_group * in_group + k;
                    f((((n * c.out_channels + o) * out[0] + pd) * out[1] + ph) * out[2] + pw,
                      (((n * c.in_channels + channel) * in[0] + id) * in[1] + ih) * in[2] + iw,
                      (((o * in_group + k) * kernel[0] + kd) * kernel[1] + kh) * kernel[2] + kw);
                  }
}

}  // namespace tenon::catalogue
