package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// poison is an upload that the chain cannot process, the reason in its dead letter, and the fix of
// its cause.
type poison struct {
	name   string
	put    func(d *deployment, t testing.TB, key string)
	reason string
	atStep bool // a step could not handle it, after some attempts
	fix    func(d *deployment, t testing.TB, key string)
}

var poisons = []poison{
	{"text", (*deployment).putText, "text; supported formats are jpeg, png", true, (*deployment).putGood},
	{"gone", (*deployment).putAndRemove, "no object", true, (*deployment).putGood},
	{"huge", (*deployment).putHuge, "pixels", true, func(*deployment, testing.TB, string) {}}, // the limits are raised for all
	{"tags", (*deployment).putTagged, "no room for another tag", false, (*deployment).removeTags},
}

// TestPoisonIsKeptAndReplayed puts images that cannot be processed among others.
func TestPoisonIsKeptAndReplayed(t *testing.T) {
	bad := max(len(poisons), *crashImages/10)
	good := *crashImages - bad
	d := deploy(t, setup{env: []string{"MAX_IMAGE_PIXELS=2000000", "SWEEP_INTERVAL=0"}})
	d.parts["resize"].runs[0].kill(t) // until the objects are deleted
	keys := map[string]poison{}
	for i := range bad {
		p := poisons[i%len(poisons)]
		key := fmt.Sprintf("poison/%s %d.jpg", p.name, i)
		p.put(d, t, key)
		keys[key] = p
	}
	d.parts["resize"].restart(t) // soon: while it is away, events use up their retries
	d.putColours(t, good)
	d.awaitCompleted(t, good)

	letters := map[string]deadLetter{}
	eventually(t, "the dead letters", func() bool { letters = d.deadLetters(t); return len(letters) >= len(keys) })
	for key, p := range keys {
		if got := letters[key]; !strings.Contains(got.Reason, p.reason) || (got.Attempts > 0) != p.atStep {
			t.Errorf("the dead letter of %s says %+v, want %q", key, got, p.reason)
		}
	}
	if len(letters) != len(keys) {
		t.Errorf("%d dead letters, want %d", len(letters), len(keys))
	}

	for key, p := range keys {
		p.fix(d, t, key)
	}
	d.env = append(d.env, "MAX_IMAGE_PIXELS=50000000")
	d.parts["resize"].restart(t)
	t.Log(d.command(t, "bridge", "imageflow", "replay", "--all", "--dry-run"))
	t.Log(d.command(t, "bridge", "imageflow", "replay", "--all"))
	for key := range keys {
		eventually(t, "the end of "+key, func() bool { return d.tag(t, key) == "completed" })
	}
	eventually(t, "the dead letters to be gone", func() bool { return len(d.deadLetters(t)) == 0 })
}

// deadLetter has the fields of a dead letter that an operator reads.
type deadLetter struct {
	Key, Reason string
	Attempts    int
}

// deadLetters reads the dead letters by the key of their image.
func (d *deployment) deadLetters(t testing.TB) map[string]deadLetter {
	t.Helper()
	found := map[string]deadLetter{}
	for _, key := range d.deadLetterKeys(t) {
		var l deadLetter
		if err := json.Unmarshal(d.getFrom(t, "imageflow-dead-letters", key), &l); err != nil {
			t.Fatal(err)
		}
		found[l.Key] = l
	}
	return found
}

func (d *deployment) putText(t testing.TB, key string) {
	d.put(t, key, "image/jpeg", []byte("dear diary, this is "+key))
}

func (d *deployment) putGood(t testing.TB, key string) {
	d.put(t, key, "image/jpeg", plainJPEG(t, 1000, 800, colourOf(7)))
}

func (d *deployment) putAndRemove(t testing.TB, key string) {
	d.putGood(t, key)
	if err := d.s3.RemoveObject(context.Background(), bucket, key, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) putHuge(t testing.TB, key string) {
	d.put(t, key, "image/jpeg", plainJPEG(t, 2000, 1500, colourOf(8)))
}

// putTagged puts an image with so many tags that none can be added.
func (d *deployment) putTagged(t testing.TB, key string) {
	t.Helper()
	tags := map[string]string{}
	for i := range 10 {
		tags[fmt.Sprintf("tag-%d", i)] = "x"
	}
	data := plainJPEG(t, 1000, 800, colourOf(9))
	if _, err := d.s3.PutObject(context.Background(), bucket, key, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{ContentType: "image/jpeg", UserTags: tags}); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) removeTags(t testing.TB, key string) {
	t.Helper()
	if err := d.s3.RemoveObjectTagging(context.Background(), bucket, key, minio.RemoveObjectTaggingOptions{}); err != nil {
		t.Fatal(err)
	}
}
