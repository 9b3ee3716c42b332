"""The eight figures of a district, in the order in which every model of it takes them."""

from typing import Final

FEATURES: Final = (
    "MedInc",
    "HouseAge",
    "AveRooms",
    "AveBedrms",
    "Population",
    "AveOccup",
    "Latitude",
    "Longitude",
)
TARGET: Final = "MedHouseVal"
