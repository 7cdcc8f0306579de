package detect_test

import (
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

var heldOutFolder = flag.String("heldout", "", "a folder of held-out pictures, scored by evaluate.py in reference.json: make heldout")

// scores are those of a model, as evaluate.py writes them.
type scores struct {
	Map50   float64 `json:"map50"`
	Map     float64 `json:"map50_95"`
	Classes map[string]classScore
}

// TestHeldOutScore scores the demo model on all held-out pictures, from their
// bytes to the boxes of the response. It wants a mAP@0.5 of 0.95, and the scores
// that evaluate.py comes to with onnxruntime and a decoder of its own.
func TestHeldOutScore(t *testing.T) {
	if *heldOutFolder == "" {
		t.Skip("needs pictures: make heldout")
	}
	const least, apart = 0.95, 0.01
	var reference struct{ All scores }
	text, err := os.ReadFile(filepath.Join(*heldOutFolder, "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &reference); err != nil {
		t.Fatal(err)
	}
	ours := scored(t, readScenes(t, *heldOutFolder))
	t.Log("                    AP@0.5       AP@0.5:0.95")
	t.Log("       objects   ours  Python    ours  Python")
	for _, name := range slices.Sorted(maps.Keys(ours.Classes)) {
		a, b := ours.Classes[name], reference.All.Classes[name]
		t.Logf("%-8s %5d  %.3f   %.3f   %.3f   %.3f", name, a.Objects, a.AP50, b.AP50, a.AP, b.AP)
	}
	t.Logf("mean            %.3f   %.3f   %.3f   %.3f", ours.Map50, reference.All.Map50, ours.Map, reference.All.Map)
	if ours.Map50 < least {
		t.Errorf("mAP@0.5 is %.4f, want %g", ours.Map50, least)
	}
	if math.Abs(ours.Map50-reference.All.Map50) > apart || math.Abs(ours.Map-reference.All.Map) > apart {
		t.Errorf("ours and Python's are further apart than %g", apart)
	}
}

// scored runs the processor over the scenes and scores what it finds.
func scored(t *testing.T, scenes []scene) scores {
	p, found, names := demo(t), make([][]*imageflowv1.Detection, len(scenes)), map[int32]string{}
	for i, s := range scenes {
		found[i] = seen(t, p, s.data, &request{ConfidenceThreshold: 0.001}).GetDetections()
		for _, o := range s.Objects {
			names[o.ClassID] = o.ClassName
		}
	}
	all := scores{Classes: map[string]classScore{}}
	for class, name := range names {
		c := scoreClass(class, scenes, found)
		all.Classes[name] = c
		all.Map50 += c.AP50 / float64(len(names))
		all.Map += c.AP / float64(len(names))
	}
	return all
}
