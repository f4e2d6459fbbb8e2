"""Networks without a head. A plug-in here exports ``build(options, weights) -> nn.Module``.

The module maps (N, 3, H, W) normalised images to (N, feature_dim) features and has the attribute
``feature_dim``. ``weights`` is None (from nothing) or the path of torchvision's ImageNet file, which the
plug-in's ``IMAGENET_FILE`` names. torch is imported inside ``build``.
"""
