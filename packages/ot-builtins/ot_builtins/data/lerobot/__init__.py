"""LeRobot 2.x recordings: numbers in Parquet, cameras in video files, tasks in words."""
