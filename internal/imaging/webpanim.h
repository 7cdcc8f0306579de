// Animated WebPs, by libwebp's own decoder and encoder of animations.

#pragma once

#include <stddef.h>
#include <stdint.h>

// imaging_webp_frames opens an animation. It returns NULL if the file has a fault, if its canvas does
// not have width × height pixels, or if memory runs out. It keeps no copy of the file.
void *imaging_webp_frames(const uint8_t *file, size_t size, int width, int height);

// imaging_webp_next draws the next frame and returns the canvas in RGBA, which is valid until the next
// call, or NULL if the frame cannot be decoded or there is none.
const uint8_t *imaging_webp_next(void *frames);

void imaging_webp_close(void *frames);

// WebPAnimation is an animation that is written.
typedef struct WebPAnimation WebPAnimation;

// imaging_webp_animation begins an animation. plays is 0 for one without end. quality is in 1 … 100.
// It returns NULL if memory runs out.
WebPAnimation *imaging_webp_animation(int width, int height, int plays, int quality, int lossless);

// imaging_webp_add adds a frame with 3 or 4 channels, which is shown from a time in milliseconds on.
// It returns 0, or -1 if it failed.
int imaging_webp_add(WebPAnimation *a, const uint8_t *pixels, int channels, int from);

// imaging_webp_finish ends an animation at a time in milliseconds. The caller frees *data with free. It
// returns 0, or -1 if it failed.
int imaging_webp_finish(WebPAnimation *a, int end, uint8_t **data, size_t *size);

void imaging_webp_free(WebPAnimation *a);
