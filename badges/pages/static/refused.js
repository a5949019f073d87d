import "/assets/page.js";
