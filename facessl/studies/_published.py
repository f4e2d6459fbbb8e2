"""What S1's report and notebook print, as published."""

EPOCHS = 5
PHOTOS = 244  # in its 20 %
PEOPLE = 6
SOURCE = "KarthikRachoori, Face-Recognition-Models-with-Multiple-Classifiers, cells of model 1 and model 2"

# Percent after epochs 1 to 5. The loss is that of an epoch's last batch, which held 12 pictures of 972.
SIMCLR_LOSS = (1.160, 1.074, 1.049, 1.061, 1.102)
SIMCLR_TOP1 = (21.2, 20.7, 21.1, 20.3, 20.5)
SIMCLR_TOP3 = (55.9, 56.1, 55.6, 53.9, 48.3)  # printed as top-5, computed with topk=(1, 3)
LAST_BATCH = 12
CLASSIFIER_TRAIN_TOP1 = (97.7, 98.0, 98.6, 99.0, 98.8)
CLASSIFIER_TOP1 = (69.4, 71.0, 69.7, 71.6, 71.4)
CLASSIFIER_TOP3 = (88.9, 90.0, 90.3, 93.5, 91.5)

# Person: precision, recall, F1, photos, of model 1 once more at the end.
SIMCLR_REPORT = {
    "Aishwarya Rai": (0.18, 0.24, 0.20, 42),
    "Anushka Sharma": (0.20, 0.07, 0.11, 41),
    "Deepika Padukone": (0.18, 0.26, 0.21, 38),
    "Katrina Kaif": (0.14, 0.10, 0.12, 40),
    "Kriti Sanon": (0.20, 0.15, 0.17, 41),
    "Prabhas": (0.25, 0.36, 0.30, 42),
    "macro avg": (0.19, 0.20, 0.18, 244),
}
