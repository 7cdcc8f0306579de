package functions

import imageflowv1 "imageflow.dev/proto/imageflow/v1"

// places are the fractions of the free space that lie left of and above an image.
var places = map[imageflowv1.Gravity][2]float64{
	imageflowv1.Gravity_GRAVITY_UNSPECIFIED:  {0.5, 0.5},
	imageflowv1.Gravity_GRAVITY_CENTER:       {0.5, 0.5},
	imageflowv1.Gravity_GRAVITY_TOP:          {0.5, 0},
	imageflowv1.Gravity_GRAVITY_BOTTOM:       {0.5, 1},
	imageflowv1.Gravity_GRAVITY_LEFT:         {0, 0.5},
	imageflowv1.Gravity_GRAVITY_RIGHT:        {1, 0.5},
	imageflowv1.Gravity_GRAVITY_TOP_LEFT:     {0, 0},
	imageflowv1.Gravity_GRAVITY_TOP_RIGHT:    {1, 0},
	imageflowv1.Gravity_GRAVITY_BOTTOM_LEFT:  {0, 1},
	imageflowv1.Gravity_GRAVITY_BOTTOM_RIGHT: {1, 1},
}

// Place returns the fractions, in [0, 1], of the free space that lie left of and above an image
// with this gravity. ok is false, and the fractions are 0, for a gravity that depends on pixels.
func Place(g imageflowv1.Gravity) (x, y float64, ok bool) {
	place, ok := places[g]
	return place[0], place[1], ok
}
