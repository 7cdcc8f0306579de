package imaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// withoutHEVC replaces functions of libde265, so that libheif can decode no HEVC.
const withoutHEVC = `
	int de265_push_NAL(void *decoder, const void *data, int size, long at, void *user) { return 1; }
	int de265_push_data(void *decoder, const void *data, int size, long at, void *user) { return 1; }
`

// TestHEIC_withoutDecoder runs itself in a process without a decoder of HEVC.
func TestHEIC_withoutDecoder(t *testing.T) {
	const mark = "TEST_WITHOUT_HEVC"
	if os.Getenv(mark) != "" {
		checkWithoutHEVC(t)
		return
	}
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("skipped: there is no C compiler")
	}
	library := filepath.Join(t.TempDir(), "withouthevc.so")
	compile := exec.CommandContext(t.Context(), compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", library)
	compile.Stdin = strings.NewReader(withoutHEVC)
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"=1", "LD_PRELOAD="+library)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: "+t.Name()) {
		t.Errorf("%v: %s", err, out)
	}
}

func checkWithoutHEVC(t *testing.T) {
	t.Helper()
	m := open(t, heifFile(t, "8.heic"))
	const want = "this build cannot read heic: it lacks a decoder of HEVC, which the image target plain-heif has"
	if _, err := m.Pixels(t.Context()); !isInputError(err) || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if _, err := m.Resize(t.Context(), 20, 10, imaging.Fast, imaging.JPEG); !isInputError(err) || err.Error() != want {
		t.Errorf("resized: got %v, want %q", err, want)
	}
	if imaging.HEIC.Support().Read || !imaging.AVIF.Support().Read {
		t.Error("HEIC is said to be readable, or AVIF not")
	}
	pixels(t, heifFile(t, "420.avif"))
}
