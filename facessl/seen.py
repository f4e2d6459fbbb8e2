"""What a pre-training looks at: the first views of an epoch, drawn again from its recipe.

A batch is a function of (seed, epoch, step), so nobody has to ask the worker for it.
"""

from pathlib import Path

import numpy as np

from facessl import methods, pretraining, registry, views
from facessl.config import PretrainRecipe
from facessl.dataset import open_for
from facessl.run import Run


def first_views(run: Run, workspace: Path, epoch: int, count: int) -> list[np.ndarray]:
    """Return the views of the first ``count`` faces of an epoch, as the run draws them.

    Args:
        run: A pre-training.
        workspace: Where its sets are.
        epoch: Counted from 0, as the loop does.
        count: Fewer are returned where a batch has fewer.

    Returns:
        An array (n, S, S, 3) uint8 for each view; row i of all of them is the same face.

    Raises:
        DatasetError: A set is gone, or has too few faces.
    """
    recipe: PretrainRecipe = run.recipe()
    method = registry.load("methods", recipe.method)
    named_only = methods.needs_names(recipe.method)
    sets = [open_for(run, workspace, name) for name in (recipe.dataset, *recipe.also)]
    pool, _ = pretraining.faces_to_learn_from(sets[0], sets[1:], named_only=named_only)
    size = run.config.get("resolved", {}).get("batch_size") or min(recipe.batch_size, len(pool))
    order = np.random.default_rng([recipe.seed, epoch]).permutation(len(pool))[:size]
    rng = np.random.default_rng([recipe.seed, epoch, 0])
    # The second view of a face is drawn after the first view of the whole batch.
    drawn = [views.draw(len(order), recipe.views, rng) for _ in range(method.VIEWS)]
    faces = pool.take(order[:count])
    return [views.render(faces, parameters.take(slice(0, len(faces))), recipe.image_size) for parameters in drawn]
