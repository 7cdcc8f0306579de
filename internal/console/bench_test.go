package console

import (
	"net/url"
	"strings"
	"testing"

	"imageflow.dev/internal/processors"
)

func query(t *testing.T, text string) url.Values {
	t.Helper()
	q, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestBench_address: the form's empty controls, lines and names in JSON become the shortest address, which reads the same.
func TestBench_address(t *testing.T) {
	b := readBench(url.Values{
		"bucket": {"b"}, "key": {"a b/ü&.jpg"}, "step": {"resize", "none", "detect", "filter"}, "do": {"show"},
		"1.targetWidth": {"300"}, "1.target_height": {""}, "1.encoding.maxBytes": {"9"},
		"1.renditions.thumb.target_width": {"20"}, "3.classes": {"cat\r\ndog\r\n"}, "3.class_thresholds": {"cat=0.5\r\n\r\ndog=1"},
		"4.parameters[sigma]": {"2"}, "4.filter_type": {"FILTER_TYPE_SHARPEN"}, "4.watermark": {`{"image": {"object_key": "m"}}`},
		"output_image.content_type": {"image/webp"}, "name": {""},
	})
	const want = "1.encoding.max_bytes=9&1.renditions.thumb.target_width=20&1.target_width=300&" +
		"2.class_thresholds%5Bcat%5D=0.5&2.class_thresholds%5Bdog%5D=1&2.classes=cat&2.classes=dog&" +
		"3.filter_type=FILTER_TYPE_SHARPEN&3.parameters%5Bsigma%5D=2&" +
		"3.watermark=%7B%22image%22%3A+%7B%22object_key%22%3A+%22m%22%7D%7D&" +
		"bucket=b&key=a+b%2F%C3%BC%26.jpg&output_image.content_type=image%2Fwebp&step=resize&step=detect&step=filter"
	if got := b.Query(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if again := readBench(b.query()).Query(); again != want {
		t.Errorf("read again: %s", again)
	}
	for i, step := range b.Steps {
		if _, problems := step.read(); len(problems) > 0 {
			t.Errorf("step %d: %v", i+1, problems)
		}
	}
}

func TestBench_change(t *testing.T) {
	b := &bench{}
	for _, action := range []string{
		"add-resize", "add-filter", "add-detect", "add-nothing", "up-3", "down-1", "up-1", "down-3",
		"remove-9", "remove--1", "up-x", "", "show",
	} {
		b.change(action)
	}
	names := func() (all string) {
		for _, s := range b.Steps {
			all += s.Processor.Name + " "
		}
		return all
	}
	if got := names(); got != "detect resize filter " {
		t.Errorf("steps: %s", got)
	}
	b.change("remove-2")
	for range 20 {
		b.change("add-filter")
	}
	if got := names(); len(b.Steps) != maxBenchSteps || strings.Contains(got, "resize") {
		t.Errorf("%d steps: %s", len(b.Steps), got)
	}
}

// TestBench_problems: the contract's errors stand at their controls, and nothing that was entered is lost.
func TestBench_problems(t *testing.T) {
	texts := contractTexts(t)
	for _, c := range []struct {
		processor processors.Info
		query     string
		control   string // "" means above the controls
		says      string
	}{
		{processors.Resize, "target_width=wide", "target_width", "not a valid int32"},
		{processors.Resize, "target_width=99999", "target_width", "16383"},
		{processors.Resize, "target_widht=1", "target_widht", "no such parameter"},
		{processors.Resize, "target_width=9&fit=FIT_COVER", "fit", "need target_width and target_height"},
		{processors.Resize, "target_width=9&fit=COVER", "fit", `"COVER" is not one of contain, cover, fill, pad`},
		{processors.Resize, "target_width=9&encoding.quality=101", "encoding.quality", "100"},
		{processors.Resize, "target_width=9&renditions=[{}]", "renditions", ""},
		{processors.Resize, "target_width=9&input_image.bucket=b", "input_image.bucket", "the bench sets it"},
		{processors.Filter, "intensity=1", "filter_type", ""},
		{processors.Filter, "filter_type=FILTER_TYPE_BLUR&parameters[a]b=1", "parameters[a]b", "no such parameter"},
		{processors.Detect, "regions=[{\"x9\":1}]", "regions", "regions[0].x9: no such field"},
		{processors.Detect, "frames=2&crops.margin=0.5", "", ""},
	} {
		step := readBench(url.Values{"step": {c.processor.Name}}).Steps[0]
		for name, values := range query(t, c.query) {
			step.set(name, values)
		}
		_, problems := step.read()
		form := step.form(1, texts, problems)
		at, kept := found(form, c.says)
		if at != c.control || c.control == "" && len(form.Problems) == 0 || kept != len(step.Parameters) {
			t.Errorf("%s: at %q, %d of %d values; above: %q", c.query, at, kept, len(step.Parameters), form.Problems)
		}
	}
}

// found returns the control with a problem that contains a text, and the number of controls with values.
func found(form stepForm, says string) (at string, values int) {
	for _, g := range form.Groups {
		for _, control := range g.Controls {
			if control.Value != "" {
				values++
			}
			if control.Problem != "" && strings.Contains(control.Problem, says) {
				at = control.Parameter
			}
		}
	}
	return at, values
}
