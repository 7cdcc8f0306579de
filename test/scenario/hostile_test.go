package scenario

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// impossible are keys that the store accepts and the steps refuse.
var impossible = []string{"two\nlines", "a\ttab", "\x01", "a\x7fb", "a\r\nCe-Type: x", "\x1b[31m", "\x0b%0A"}

// unusual are keys that are processed like any other.
var unusual = []string{"100%", "100%25", "%0A", `a"b'c`, "日本語 ü", "a+b c", "a;b&c=?#", "😀", " x ", "<b>&amp;", "a\u0085b"}

// TestHostileKeysDelayNobody: uploads whose keys cannot be processed become dead letters. The
// uploads between them are processed, and MinIO's queue is empty in the end.
func TestHostileKeysDelayNobody(t *testing.T) {
	bad := max(len(impossible), *crashImages/10)
	good := *crashImages - bad
	d := deploy(t, setup{env: []string{"SWEEP_INTERVAL=0"}})
	began := time.Now()
	var putting sync.WaitGroup
	putting.Go(func() { d.putColours(t, good) })
	putting.Go(func() { d.putHostile(t, bad) })
	for i := range unusual {
		d.put(t, unusualKey(i), "image/jpeg", plainJPEG(t, 1000, 800, colourOf(i)))
	}
	putting.Wait()
	d.awaitCompleted(t, good)
	for i := range unusual {
		eventually(t, "the end of "+unusualKey(i), func() bool { return d.tag(t, unusualKey(i)) == "completed" })
	}
	letters := map[string]deadLetter{}
	eventually(t, "the dead letters", func() bool { letters = d.deadLetters(t); return len(letters) >= bad })
	for i := range bad {
		key := hostileKey(i)
		if got := letters[key]; !strings.Contains(got.Reason, "control characters") {
			t.Errorf("the dead letter of %q says %+v", key, got)
		}
		eventually(t, "the tag of a hostile key", func() bool { return d.tag(t, key) == "failed" })
	}
	if len(letters) != bad {
		t.Errorf("%d dead letters, want %d", len(letters), bad)
	}
	eventually(t, "MinIO's queue to be empty", func() bool { return d.queued(t) == 0 })
	t.Logf("%d uploads completed and %d dead letters after %v", good+len(unusual), bad, time.Since(began).Round(time.Second))
}

// TestSweeperSkipsHostileKeys: the first sweep finds a lost upload behind many uploads whose keys
// cannot be processed.
func TestSweeperSkipsHostileKeys(t *testing.T) {
	bad := max(20, *crashImages/5)
	d := deploy(t, setup{env: []string{"SWEEP_INTERVAL=1h", "SWEEP_GRACE=1ms", "SWEEP_RATE=1000"}, forgetful: true})
	bridge := d.parts["bridge"]
	bridge.runs[0].kill(t)
	d.putHostile(t, bad)
	const lost = "zz/lost.jpg"
	d.put(t, lost, "image/jpeg", plainJPEG(t, 1000, 800, colourOf(1)))
	time.Sleep(time.Second) // until the store gives up
	began := time.Now()
	bridge.restart(t)
	eventually(t, "the lost upload's end", func() bool { return d.tag(t, lost) == "completed" })
	t.Logf("the upload behind %d hostile keys was completed after %v", bad, time.Since(began).Round(time.Second))
	eventually(t, "the dead letters", func() bool { return len(d.deadLetters(t)) == bad })
}

func hostileKey(i int) string {
	return fmt.Sprintf("hostile/%04d %s.jpg", i, impossible[i%len(impossible)])
}

func unusualKey(i int) string { return "crash/" + unusual[i] + ".jpg" }

func (d *deployment) putHostile(t testing.TB, n int) {
	for i := range n {
		d.put(t, hostileKey(i), "image/jpeg", plainJPEG(t, 1000, 800, colourOf(i)))
	}
}

// queued counts the notifications that MinIO still has to deliver.
func (d *deployment) queued(t testing.TB) (n int) {
	t.Helper()
	err := filepath.WalkDir(d.queue, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			n++
		}
		return nil // a notification that is delivered meanwhile has no file any more
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
