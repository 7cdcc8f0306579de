# hadolint global ignore=DL3008,DL4006
# DL3008: Debian's packages are not pinned, so that a build has its security patches.
# DL4006: in each pipe here, the last command fails if an earlier one fails.
#
# ImageFlow's images, one target each; docker or buildah builds them:
#
#   plain         every role except detect; the default target. It reads AVIF and JPEG XL but
#                 not HEIC, since HEVC has patents
#   plain-heif    plain, with libde265 to decode HEVC, for those who have the rights to it
#   detect        plain, with ONNX Runtime and the demo model in /models
#   detect-cuda   detect, with ONNX Runtime for CUDA and NVIDIA's libraries; amd64 only
#   standin       a processor of fixed cost, for tests of scaling (test/standin)
#   test          no image: the tests of internal/imaging with the libvips of the images
#
# The stages that compile run on the build machine, for amd64 or arm64. The last stages run as the image's
# architecture, for which another machine needs QEMU.
#
# A release names its base images by digest:
#   --build-arg DEBIAN_IMAGE=debian@sha256:...
# Debian's packages are those that the base images' apt sources name: of a day, if they name a snapshot.
ARG GO_IMAGE=golang:1.26-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim
ARG CUDA_IMAGE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04

# libvips, libheif and libjxl from Debian's own sources, so with its security patches,
# but without unused dependencies: Debian's libvips42 depends on ImageMagick,
# poppler, librsvg and more, its libheif1 the HEVC codecs. Debian's libjxl0.7 writes
# plain text between the logs for each damaged file.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS vips
ARG DEBIAN_FRONTEND=noninteractive
ARG TARGETARCH
# hadolint ignore=DL3009
RUN sed -i 's/^Types: deb$/& deb-src/' /etc/apt/sources.list.d/debian.sources 2>/dev/null \
      || sed 's/^deb /deb-src /' /etc/apt/sources.list >/etc/apt/sources.list.d/sources.list \
 && dpkg --add-architecture "$TARGETARCH" \
 && apt-get update -q \
 && echo libaom-dev libbrotli-dev libdav1d-dev libdeflate-dev libexif-dev libexpat1-dev libglib2.0-dev libhwy-dev \
      libjpeg62-turbo-dev liblcms2-dev liborc-0.4-dev libpng-dev libtiff-dev libwebp-dev pkg-config \
    | sed "s/ \|$/:$TARGETARCH /g" \
    | xargs apt-get install -q -y --no-install-recommends dpkg-dev cmake g++ meson "crossbuild-essential-$TARGETARCH"
WORKDIR /src
RUN apt-get source -q jpeg-xl libheif vips && mv jpeg-xl-*/ jxl && mv libheif-*/ heif && mv vips-*/ vips
# /target has Debian's flags for compilers and, to compile for another architecture, what cmake, meson and go need.
RUN export DEB_BUILD_MAINT_OPTIONS=hardening=+all DEB_HOST_ARCH="$TARGETARCH" && dpkg-buildflags --export=sh >/target \
 && if [ "$TARGETARCH" != "$(dpkg --print-architecture)" ]; then \
      host=$(dpkg-architecture -a"$TARGETARCH" -q DEB_HOST_GNU_TYPE) \
      && printf 'set(CMAKE_SYSTEM_NAME Linux)\nset(CMAKE_SYSTEM_PROCESSOR %s)\n' "${host%%-*}" >/target.cmake \
      && meson env2mfile --cross --debarch="$TARGETARCH" -o /target.meson \
      && echo "export CC=$host-gcc CXX=$host-g++ PKG_CONFIG=$host-pkg-config PKG_CONFIG_PATH=/usr/local/lib/pkgconfig" \
        "CMAKE_TOOLCHAIN_FILE=/target.cmake GOARCH=$TARGETARCH CGO_ENABLED=1" \
        "strip=$host-strip cross=--cross-file=/target.meson" >>/target; \
    fi
RUN . /target \
 && cmake -S heif -B heif/build -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_INSTALL_PREFIX=/usr/local -DCMAKE_INSTALL_LIBDIR=lib \
      -DENABLE_PLUGIN_LOADING=OFF -DWITH_EXAMPLES=OFF -DWITH_LIBDE265=OFF -DWITH_X265=OFF \
      -DWITH_DAV1D=ON -DWITH_AOM_DECODER=OFF -DWITH_SvtEnc=OFF -DWITH_RAV1E=OFF \
 && ninja -C heif/build install
RUN . /target \
 && cmake -S jxl -B jxl/build -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_INSTALL_PREFIX=/usr/local -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_TESTING=OFF \
      -DJPEGXL_ENABLE_TOOLS=OFF -DJPEGXL_ENABLE_MANPAGES=OFF -DJPEGXL_ENABLE_DOXYGEN=OFF -DJPEGXL_ENABLE_EXAMPLES=OFF \
      -DJPEGXL_ENABLE_BENCHMARK=OFF -DJPEGXL_ENABLE_JNI=OFF -DJPEGXL_ENABLE_PLUGINS=OFF -DJPEGXL_ENABLE_OPENEXR=OFF \
      -DJPEGXL_ENABLE_SJPEG=OFF -DJPEGXL_ENABLE_TCMALLOC=OFF -DJPEGXL_ENABLE_SKCMS=OFF -DJPEGXL_BUNDLE_SKCMS=OFF \
      -DJPEGXL_FORCE_SYSTEM_BROTLI=ON -DJPEGXL_FORCE_SYSTEM_HWY=ON -DJPEGXL_FORCE_SYSTEM_LCMS2=ON \
 && ninja -C jxl/build install
RUN . /target \
 && meson setup vips/build vips ${cross:+"$cross"} --prefix=/usr/local --libdir=lib --buildtype=release \
      --auto-features=disabled -Dintrospection=false -Dexamples=false -Dcplusplus=false \
      -Dppm=false -Danalyze=false -Dradiance=false -Dnsgif=true \
      -Djpeg=enabled -Dpng=enabled -Dwebp=enabled -Dtiff=enabled -Dheif=enabled \
      -Dlcms=enabled -Dexif=enabled -Dorc=enabled -Dzlib=enabled \
 && ninja -C vips/build install && ldconfig
# The files that the images copy: the libraries and their licences.
RUN . /target \
 && install -D -s --strip-program="${strip:-strip}" -m 644 -t /out/usr/local/lib \
      /usr/local/lib/libheif.so.1 /usr/local/lib/libjxl.so.0.7 /usr/local/lib/libvips.so.42 \
 && install -D -m 644 jxl/debian/copyright /out/usr/share/doc/libjxl0.7/copyright \
 && install -D -m 644 heif/debian/copyright /out/usr/share/doc/libheif1/copyright \
 && install -D -m 644 vips/debian/copyright /out/usr/share/doc/libvips42/copyright

# libheif once more, with a decoder of HEVC.
FROM vips AS hevc
ARG DEBIAN_FRONTEND=noninteractive
ARG TARGETARCH
# hadolint ignore=DL3009
RUN . /target && apt-get install -q -y --no-install-recommends "libde265-dev:$TARGETARCH" \
 && cmake -S heif -B heif/build -DWITH_LIBDE265=ON && ninja -C heif/build install \
 && install -D -s --strip-program="${strip:-strip}" -m 644 -t /hevc/usr/local/lib /usr/local/lib/libheif.so.1

FROM vips AS build
WORKDIR /src/imageflow
COPY . .
ARG GOPROXY
ARG GOFLAGS
ARG REVISION
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    . /target \
 && go build -trimpath -ldflags "-s -w -X imageflow.dev/cmd/internal/version.revision=${REVISION}" -o /out/imageflow ./cmd/imageflow
# The licences of the project and of each Go module in the binary.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    . /target && install -D -m 644 -t /out/usr/share/doc/imageflow LICENSE NOTICE \
 && go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/imageflow | sort -u \
    | while read -r module folder; do install -D -m 644 -t "/out/usr/share/doc/imageflow/$module" "$folder"/LICEN[CS]E*; done
# The certificate authorities of Debian, without those that the build machine adds.
RUN mkdir -p /out/etc/ssl/certs \
 && cat /usr/share/ca-certificates/mozilla/*.crt >/out/etc/ssl/certs/ca-certificates.crt

FROM vips AS test
WORKDIR /src/imageflow
COPY . .
ARG GOPROXY
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    . /target && go test ./internal/imaging

# The other libraries are installed as packages, so that scanners see them. The
# binary runs once to check that none is missing. The platform is named because buildah 1.28
# takes that of an earlier stage as the default.
# hadolint ignore=DL3065
FROM --platform=$TARGETPLATFORM ${DEBIAN_IMAGE} AS runtime
ARG DEBIAN_FRONTEND=noninteractive
COPY --from=build /out/ /
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends \
      libaom3 libbrotli1 libdav1d6 libdeflate0 libexif12 libexpat1 libglib2.0-0 libhwy1 libjpeg62-turbo liblcms2-2 \
      liborc-0.4-0 libpng16-16 libstdc++6 libtiff6 libwebp7 libwebpdemux2 libwebpmux3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/apt /var/log/dpkg.log \
 && ldconfig && /imageflow --help >/dev/null
# libvips uses one thread per image, since a process works on as many images as it has cores. It
# keeps images in memory, since the root file system is read-only, and writes no plain text between
# the logs. glibc would keep freed pixels in an arena for each thread: it gets two arenas, and fixed
# thresholds above which memory is returned.
ENV VIPS_CONCURRENCY=1 MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=16777216 \
    VIPS_DISC_THRESHOLD=1g VIPS_WARNING=1 GOGC=400
WORKDIR /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/imageflow"]
LABEL org.opencontainers.image.title=ImageFlow \
      org.opencontainers.image.description="Resident processors that resize images, detect objects in them, and filter them"

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS onnxruntime
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3-pip \
 && rm -rf /var/lib/apt/lists/*
COPY hack/onnxruntime.sh /src/
ARG TARGETARCH
RUN /src/onnxruntime.sh /out/usr/lib "$TARGETARCH"

FROM runtime AS with-onnxruntime
COPY --from=onnxruntime /out/ /
COPY functions/detect/model/repository/ /models/

# ONNX Runtime for CUDA 12 and cuDNN 9, from PyPI.
FROM ${GO_IMAGE} AS onnxruntime-cuda
ARG DEBIAN_FRONTEND=noninteractive
ARG ORT_GPU_VERSION=1.24.4
ARG ORT_GPU_SHA256=eb0e38f0c1ef3b76ae0081c8e51eed20dd8925aa916f0fc6f9b8b17d05610e99
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3-pip unzip \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
RUN echo "onnxruntime-gpu==${ORT_GPU_VERSION} --hash=sha256:${ORT_GPU_SHA256}" >requirements.txt \
 && pip download -q --no-deps --require-hashes --only-binary :all: \
      --python-version 3.12 --platform manylinux_2_28_x86_64 -r requirements.txt \
 && unzip -q ./*.whl && rm ./*.whl \
 && install -D -m 644 "onnxruntime/capi/libonnxruntime.so.${ORT_GPU_VERSION}" /out/usr/lib/libonnxruntime.so.1 \
 && install -m 644 -t /out/usr/lib onnxruntime/capi/libonnxruntime_providers_shared.so \
      onnxruntime/capi/libonnxruntime_providers_cuda.so

# Only the libraries that ONNX Runtime loads are copied from NVIDIA's image. Debian's
# libraries are those of detect.
FROM ${CUDA_IMAGE} AS cuda
WORKDIR /out/usr/local/lib/cuda
RUN find -L /usr/local/cuda/lib64 /usr/lib/x86_64-linux-gnu -maxdepth 1 -regextype posix-extended \
      -regex '.*/lib(cudart|cublas|cublasLt|cufft|curand|nvrtc|nvrtc-builtins|nvJitLink|cudnn|cudnn_.*)\.so\..*' \
      -exec cp -a {} . \; \
 && mkdir -p /out/etc/ld.so.conf.d && echo /usr/local/lib/cuda >/out/etc/ld.so.conf.d/cuda.conf

FROM runtime AS with-cuda
USER 0
COPY --from=cuda /out/ /
COPY --from=onnxruntime-cuda /out/ /
RUN ldconfig && ! ldd /usr/lib/libonnxruntime_providers_cuda.so | grep 'not found'
COPY functions/detect/model/repository/ /models/
# The parts of the driver that NVIDIA's runtime mounts. The device plugin chooses the GPU.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 65532:65532

FROM runtime AS with-hevc
ARG DEBIAN_FRONTEND=noninteractive
USER 0
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends libde265-0 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/apt /var/log/dpkg.log
COPY --from=hevc /hevc/ /
RUN ldconfig && ! ldd /usr/local/lib/libheif.so.1 | grep 'not found'
USER 65532:65532

FROM build AS build-standin
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    . /target && go build -C test -trimpath -ldflags "-s -w" -o /standin ./standin

FROM runtime AS with-standin
COPY --from=build-standin /standin /standin
ENTRYPOINT ["/standin"]

# The images are stages without steps, since buildah omits --label if the last step
# of a stage is in its cache.
FROM with-cuda AS detect-cuda
FROM with-onnxruntime AS detect
FROM with-hevc AS plain-heif
FROM with-standin AS standin
FROM runtime AS plain
