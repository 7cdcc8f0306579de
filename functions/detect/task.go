package detect

import (
	"fmt"

	"imageflow.dev/internal/inference"
)

// The tasks of models, as the metadata of Ultralytics' exports has them.
const (
	detectTask  = "detect"
	segmentTask = "segment"
	poseTask    = "pose"
	obbTask     = "obb"
)

// exclusiveTask returns the task of the model, if it has layouts of its own.
func (d *description) exclusiveTask() string {
	if d.task == obbTask {
		return d.task
	}
	return ""
}

// findFurtherValues finds the number of values of each box after its classes: the coefficients of masks
// for the task segment, or keypoints for pose, as in Ultralytics' exports.
func (m *model) findFurtherValues(outputs []inference.Tensor) (err error) {
	metadata := m.Info().Metadata
	m.task = metadata["task"]
	switch m.task {
	case poseTask:
		m.keypoints, err = parseKeypointShape(metadata[keypointsKey])
		m.furtherValues = int64(m.keypoints.count * m.keypoints.values)
		return err
	case obbTask:
		return nil
	case "", detectTask, segmentTask:
		if len(outputs) == 2 && len(outputs[1].Shape) == 4 { // the prototypes of masks
			m.furtherValues = outputs[1].Shape[1]
		} else if m.task == segmentTask {
			return fmt.Errorf("its task is %q, but its %s has no prototypes of masks: export it again, or a model of the task detect",
				m.task, m.listOutputs(outputs))
		}
		return nil
	default:
		return fmt.Errorf("its task is %q, which is none of detect, segment, pose and obb", m.task)
	}
}
