"""Networks without a head. A plug-in here exports ``build(options, weights) -> nn.Module`` and ``stages(options)``.

The module maps (N, 3, H, W) normalised images to (N, feature_dim) features and has the attributes
``feature_dim``, and ``maps``: the modules whose outputs (N, C, h, w) say where in the picture what was found, for a
description that keeps it; none where the features themselves do. ``weights`` is None (from nothing) or the path of
torchvision's ImageNet file, which the plug-in's ``IMAGENET_FILE`` names. torch is imported inside ``build``.

``stages(options)`` says which submodules are passed one after the other, from the picture on, in groups: a tuple of
stages, each a tuple of names. Every parameter is in exactly one of them, and the last name of the last stage is the
module whose output are the last maps. The module has the same as its attribute ``stages``.

A plug-in whose settings may be left open ("auto") has ``settled(options, image_size, imagenet)``, which decides them
for faces of so many pixels, from nothing or from ImageNet's weights. Recipes are settled; where nobody did,
``build`` and ``stages`` take torchvision's own network.

A plug-in that gained a setting later says in ``BEFORE`` what it was in runs that were written without it, so that they
go on with the network that they began with.
"""
