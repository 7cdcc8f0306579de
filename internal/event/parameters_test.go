package event_test

import (
	"errors"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/event"
)

func resizes(query string) error { return event.CheckParameters(resize.Processor, nil, query) }

func filters(query string) error { return event.CheckParameters(filter.Processor, nil, query) }

const mark = "filter_type=FILTER_TYPE_WATERMARK&intensity=0.5"

var parameterCases = []struct {
	check func(string) error
	query string
	field string // in the error; "-" for an error without a field, empty for no error
}{
	{resizes, "target_width=800&target_height=600&maintain_aspect_ratio=true", ""},
	{resizes, "targetWidth=1&quality=RESIZE_QUALITY_FAST&output_image.content_type=image/webp", ""},
	{resizes, "target_width=16383&quality=3", ""},
	{resizes, "target_width=8&target_height=8&fit=cover&gravity=top_left&quality=best&encoding.chroma=420", ""},
	{resizes, "target_width=8&renditions.small.target_width=4&renditions.small.fit=contain", ""},
	{resizes, "targetWidth=wide", "target_width"},
	{resizes, "target_width=1&outputImage.contentType=image/heic", "output_image.content_type"},
	{resizes, "target_width=1&fit=COVER", "fit"},
	{resizes, "", "-"}, // neither side is given
	{resizes, "target_width=99999", "target_width"},
	{resizes, "target_width=-1", "target_width"},
	{resizes, "target_width=wide", "target_width"},
	{resizes, "target_width=1&target_widht=2", "target_widht"},
	{resizes, "target_width=1&quality=RESIZE_QUALITY_SUPERB", "quality"},
	{resizes, "target_width=1&quality=99", "quality"},
	{resizes, "target_width=1&input_image.object_key=a", "input_image.object_key"},
	{resizes, "target_width=1&output_image.content_type=image/heic", "output_image.content_type"},
	{resizes, "target_width=1&execution_id=/a", "execution_id"},
	{resizes, "target_width=1&variant=small-2", ""},
	{resizes, "target_width=1&variant=2", "variant"},
	{resizes, "target_width=1&variant=Small", "variant"},
	{resizes, "target_width=1&variant=face-crop-1", "variant"},
	{resizes, "target_width=%zz", "-"},
	{resizes, "target_width=1&encoding.quality=70&encoding.chroma=CHROMA_444", ""},
	{resizes, "target_width=1&encoding.max_bytes=50000", ""},
	{resizes, "target_width=1&encoding.max_bytes=50000&output_image.content_type=image/png", "encoding.max_bytes"},
	{resizes, "target_width=1&encoding.background=%23ff8800", ""},
	{resizes, "target_width=1&encoding.keep=KEEP_COPYRIGHT", ""},
	{resizes, "target_width=1&encoding.progressive=true&output_image.content_type=image/avif", "encoding.progressive"},
	{resizes, "target_width=1&encoding.profile=PROFILE_KEEP", ""},
	{resizes, "target_width=1&encoding.background=red", "encoding.background"},
	{resizes, "target_width=1&encoding.quality=101", "encoding.quality"},
	{resizes, "target_width=1&encoding.speed=5&output_image.content_type=image/webp", "encoding.speed"},
	{resizes, "target_width=1&encoding.lossless=true&encoding.quality=1", "encoding"},
	{filters, "filter_type=FILTER_TYPE_SHARPEN&intensity=1", ""},
	{filters, "filter_type=FILTER_TYPE_SHARPEN&intensity=1&parameters[sigma]=2", ""},
	{filters, "filter_type=sharpen&intensity=1", ""},
	{filters, "intensity=1", "filter_type"},
	{filters, "filter_type=FILTER_TYPE_BRIGHTNESS&intensity=1.5", "intensity"},
	{filters, "filter_type=FILTER_TYPE_SHARPEN&parameters[sigma]=9", "parameters"},
	{filters, "filter_type=FILTER_TYPE_BLUR&parameters[sigma]=1", "parameters"},
	{filters, mark + "&watermark.image.object_key=logo.png&watermark.gravity=GRAVITY_BOTTOM_RIGHT&watermark.scale=0.2", ""},
	{filters, mark + "&watermark.image.bucket=marks&watermark.image.object_key=logo.png&watermark.tile=true", ""},
	{filters, mark, "watermark"},
	{filters, mark + "&watermark.scale=0.5", "watermark"},
	{filters, mark + "&watermark.image.object_key=/logo.png", "watermark.image.object_key"},
	{filters, mark + "&watermark.image.object_key=logo.png&watermark.scale=2", "watermark.scale"},
	{filters, mark + "&watermark.image.object_key=logo.png&watermark.gravity=GRAVITY_UP", "watermark.gravity"},
}

func TestCheckParameters(t *testing.T) {
	for _, c := range parameterCases {
		err := c.check(c.query)
		var e *functions.Error
		switch {
		case c.field == "":
			if err != nil {
				t.Errorf("%s: got %v, want no error", c.query, err)
			}
		case !errors.As(err, &e) || e.Kind != functions.Invalid:
			t.Errorf("%s: got %v, want an invalid %s", c.query, err, c.field)
		case c.field != "-" && e.Field != c.field:
			t.Errorf("%s: got %v, want the field %s", c.query, err, c.field)
		}
	}
}
